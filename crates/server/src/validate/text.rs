//! Diagnostics for people, drawn beside the source.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use sluice_domain::validation::{Diagnostic, Severity};

use super::Report;
use super::source::{Place, Source};

/// How much of a line is shown on each side of a place, in bytes.
const AROUND: usize = 200;
/// How wide a drawing is.
const WIDTH: usize = 120;

/// All reports, and how many errors and warnings there are.
pub(super) fn write(reports: &[Report], is_styled: bool) -> String {
    let renderer = if is_styled { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    let (mut text, mut errors, mut warnings) = (String::new(), 0, 0);
    for report in reports {
        if let Some(why) = &report.unreadable {
            errors += 1;
            text.push_str(&format!("error: {}: {why}\n", report.file));
        }
        for (diagnostic, place, related) in &report.found {
            match diagnostic.severity() {
                Severity::Error => errors += 1,
                Severity::Warning => warnings += 1,
                Severity::Info => {}
            }
            text.push_str(&renderer.render(&[group(report, diagnostic, *place, related)]));
            text.push_str("\n\n");
        }
    }
    if errors + warnings > 0 {
        text.push_str(&format!("{} and {}.\n", counted(errors, "error"), counted(warnings, "warning")));
    }
    text
}

fn counted(count: usize, noun: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{end}")
}

fn group<'r>(report: &'r Report, found: &'r Diagnostic, place: Place, related: &[Place]) -> Group<'r> {
    let level = match found.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = level.primary_title(found.message.as_str()).id(found.code.as_str());
    let (snippet, is_whole) = snippet(&report.source, place);
    let mut group = if is_whole {
        title.element(snippet.path(report.file.as_str()))
    } else {
        // Of a part of a line the renderer can't tell the column.
        let origin = Origin::path(report.file.as_str()).line(place.line).char_column(place.column);
        title.element(origin).element(snippet)
    };
    if !found.pointer.is_empty() {
        group = group.element(Level::NOTE.with_name("at").message(found.pointer.as_str()));
    }
    for (other, place) in found.related.iter().zip(related) {
        let line = format!("{}:{}:{}: {}", report.file, place.line, place.column, other.message);
        group = group.element(Level::NOTE.message(line));
    }
    match &found.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

/// The line of a place, or as much of it as is near, and whether it is all of it.
fn snippet(source: &Source, place: Place) -> (Snippet<'_, Annotation<'_>>, bool) {
    let (begin, end) = source.line(place.line);
    let from = source.text.ceil_char_boundary(place.start.saturating_sub(AROUND).max(begin));
    let to = source.text.floor_char_boundary(place.end.saturating_add(AROUND).min(end));
    let part = source.text.get(from..to).unwrap_or_default();
    let within = |at: usize| at.saturating_sub(from).min(part.len());
    let marked = AnnotationKind::Primary.span(within(place.start)..within(place.end));
    (Snippet::source(part).line_start(place.line).annotation(marked), from == begin)
}
