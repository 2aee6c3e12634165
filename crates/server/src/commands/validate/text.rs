//! Diagnostics for people, with excerpts of the source.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use sluice_domain::validation::Severity;

use super::report::{Finding, Report};
use super::source::{Source, Span};
use crate::cli::output::count;

/// Bytes of a line shown on each side of a span.
const CONTEXT: usize = 200;
/// Width of a drawing, in columns.
const WIDTH: usize = 120;

/// Formats all reports, followed by the number of errors and warnings.
pub(super) fn write(reports: &[Report], is_styled: bool) -> String {
    let renderer = if is_styled { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    let (mut text, mut errors, mut warnings) = (String::new(), 0, 0);
    for report in reports {
        if let Some(error) = &report.unreadable {
            errors += 1;
            text.push_str(&format!("error: {}: {error}\n", report.file));
        }
        for finding in &report.findings {
            match finding.diagnostic.severity() {
                Severity::Error => errors += 1,
                Severity::Warning => warnings += 1,
                Severity::Info => {}
            }
            text.push_str(&renderer.render(&[group(report, finding)]));
            text.push_str("\n\n");
        }
    }
    if errors + warnings > 0 {
        text.push_str(&format!("{} and {}.\n", count(errors, "error"), count(warnings, "warning")));
    }
    text
}

fn group<'r>(report: &'r Report, Finding { diagnostic, span, related }: &'r Finding) -> Group<'r> {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
    let Excerpt { snippet, is_line_start } = excerpt(&report.source, *span);
    let mut group = if is_line_start {
        title.element(snippet.path(report.file.as_str()))
    } else {
        // The renderer computes columns from the start of the snippet, so they are given explicitly.
        let origin = Origin::path(report.file.as_str()).line(span.line).char_column(span.column);
        title.element(origin).element(snippet)
    };
    if !diagnostic.pointer.is_empty() {
        group = group.element(Level::NOTE.with_name("at").message(diagnostic.pointer.as_str()));
    }
    for (other, span) in diagnostic.related.iter().zip(related) {
        let line = format!("{}:{}:{}: {}", report.file, span.line, span.column, other.message);
        group = group.element(Level::NOTE.message(line));
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

/// A line, or the part of a long line around a span.
struct Excerpt<'s> {
    snippet: Snippet<'s, Annotation<'s>>,
    is_line_start: bool,
}

fn excerpt(source: &Source, span: Span) -> Excerpt<'_> {
    let line = source.line(span.line);
    let from = source.text.ceil_char_boundary(span.start.saturating_sub(CONTEXT).max(line.start));
    let to = source.text.floor_char_boundary(span.end.saturating_add(CONTEXT).min(line.end));
    let part = source.text.get(from..to).unwrap_or_default();
    let relative = |offset: usize| offset.saturating_sub(from).min(part.len());
    let annotation = AnnotationKind::Primary.span(relative(span.start)..relative(span.end));
    let snippet = Snippet::source(part).line_start(span.line).annotation(annotation);
    Excerpt { snippet, is_line_start: from == line.start }
}
