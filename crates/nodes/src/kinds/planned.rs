//! Planned kinds: workflows can contain them, but the server can't run them yet.

use indexmap::IndexMap;
use serde_json::{Map, Value};
use sluice_domain::validation::{
    DataFlow, ExternalEffects, InputUse, OutputShape, Reference, ReferenceScope,
};

use super::listing::{Category, Listing, Service};
use crate::config::common::{OUTPUT_JSON_SCHEMA, OUTPUT_SCHEMA, SchemaText};
use crate::data_flow::{output_shape, paths, templates};

/// A kind that the server can't run yet. Its config isn't checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedKind {
    /// The node type in definitions.
    pub(crate) name: &'static str,
    /// The entry in the catalog, or `None` for legacy kinds, which exist only in older workflows.
    pub(crate) listing: Option<Listing>,
    /// True if the only effect of the kind is a call of a language model with its templates.
    calls_model_only: bool,
}

const SLACK: Service = Service { name: "Slack", logo: "/images/slack.png" };
const GOOGLE: Service = Service { name: "Google", logo: "/images/google.png" };
const YOUTUBE: Service = Service { name: "YouTube", logo: "/images/youtube.png" };
const GITHUB: Service = Service { name: "GitHub", logo: "/images/github.png" };
const JINA_AI: Service = Service { name: "Jina.AI", logo: "/images/jina.png" };
const REDDIT: Service = Service { name: "Reddit", logo: "/images/reddit.png" };
const FIRECRAWL: Service = Service { name: "Firecrawl", logo: "/images/firecrawl.png" };
const SEARCH: Service = Service { name: "Search", logo: "/images/exa.png" };

/// The planned kinds. The catalog lists the kinds of a category in this order.
pub(crate) const PLANNED: &[PlannedKind] = &[
    model("SingleLLMCallNode", "Single LLM Call", "SLCN", "#007BFF"),
    ai("AgentNode", "Agent", "AN", "#E83E8C"),
    ai("RetrieverNode", "Retriever", "RN", "#FFC107"),
    model("BestOfNNode", "Best of N", "BONN", "#007BFF"),
    integration(SLACK, "SlackNotifyNode", "SlackNotify", "SNN", "#FD7E14"),
    integration(GOOGLE, "GoogleSheetsReadNode", "GoogleSheetsRead", "GSRN", "#6F42C1"),
    integration(YOUTUBE, "YouTubeTranscriptNode", "YouTubeTranscript", "YTN", "#DC3545"),
    integration(GITHUB, "GitHubListPullRequestsNode", "GitHubListPullRequests", "GLPRN", "#8A2BE2"),
    integration(GITHUB, "GitHubListRepositoriesNode", "GitHubListRepositories", "GLRN", "#8CC63F"),
    integration(GITHUB, "GitHubGetRepositoryNode", "GitHubGetRepository", "GGRN", "#FA8072"),
    integration(GITHUB, "GitHubSearchRepositoriesNode", "GitHubSearchRepositories", "GSRN", "#FFC107"),
    integration(GITHUB, "GitHubGetPullRequestNode", "GitHubGetPullRequest", "GGPRN", "#17A2B8"),
    integration(
        GITHUB,
        "GitHubGetPullRequestChangesNode",
        "GitHubGetPullRequestChanges",
        "GGPRCN",
        "#DC3545",
    ),
    integration(GITHUB, "GitHubCreateIssueNode", "GitHubCreateIssue", "GCIN", "#20C997"),
    integration(JINA_AI, "JinaReaderNode", "Reader", "JRN", "#DC3545"),
    integration(REDDIT, "RedditCreatePostNode", "RedditCreatePost", "RCPN", "#17A2B8"),
    integration(REDDIT, "RedditGetTopPostsNode", "RedditGetTopPosts", "RGTPN", "#E83E8C"),
    integration(REDDIT, "RedditGetUserInfoNode", "RedditGetUserInfo", "RGUIN", "#007BFF"),
    integration(REDDIT, "RedditGetSubredditInfoNode", "RedditGetSubredditInfo", "RGSIN", "#FF00FF"),
    integration(REDDIT, "RedditGetSubredditStatsNode", "RedditGetSubredditStats", "RGSSN", "#6F42C1"),
    integration(REDDIT, "RedditGetTrendingSubredditsNode", "RedditGetTrendingSubreddits", "RGTSN", "#007BFF"),
    integration(FIRECRAWL, "FirecrawlCrawlNode", "Firecrawl Crawl", "FCN", "#FF00FF"),
    integration(FIRECRAWL, "FirecrawlScrapeNode", "Firecrawl Scrape", "FSN", "#E83E8C"),
    integration(SEARCH, "ExaSearchNode", "ExaSearch", "ESN", "#FF7F50"),
    send_email("SendEmailNode", "Send Email", "SEN", "#FD7E14"),
    legacy_model("AdvancedLLMNode"),
    legacy("AnkiBasicNode"),
    legacy_model("BranchSolveMergeNode"),
    legacy_model("MCTSNode"),
    legacy_model("MixtureOfAgentsNode"),
    legacy_model("SelfConsistencyNode"),
    legacy_model("StringOutputLLMNode"),
    legacy_model("StructuredOutputNode"),
    legacy("SubworkflowNode"),
    legacy_model("TreeOfThoughtsNode"),
];

const fn ai(
    name: &'static str,
    title: &'static str,
    acronym: &'static str,
    color: &'static str,
) -> PlannedKind {
    let listing = Listing::new(Category::Ai, title, acronym, color);
    PlannedKind { name, listing: Some(listing), calls_model_only: false }
}

const fn model(
    name: &'static str,
    title: &'static str,
    acronym: &'static str,
    color: &'static str,
) -> PlannedKind {
    PlannedKind { calls_model_only: true, ..ai(name, title, acronym, color) }
}

const fn integration(
    service: Service,
    name: &'static str,
    title: &'static str,
    acronym: &'static str,
    color: &'static str,
) -> PlannedKind {
    let listing = Listing::new(Category::Integrations, title, acronym, color);
    let listing = Listing { service: Some(service), has_fixed_output: true, ..listing };
    PlannedKind { name, listing: Some(listing), calls_model_only: false }
}

const fn send_email(
    name: &'static str,
    title: &'static str,
    acronym: &'static str,
    color: &'static str,
) -> PlannedKind {
    let listing = Listing::new(Category::Integrations, title, acronym, color);
    PlannedKind {
        name,
        listing: Some(Listing { has_fixed_output: true, ..listing }),
        calls_model_only: false,
    }
}

const fn legacy(name: &'static str) -> PlannedKind {
    PlannedKind { name, listing: None, calls_model_only: false }
}

const fn legacy_model(name: &'static str) -> PlannedKind {
    PlannedKind { name, listing: None, calls_model_only: true }
}

/// Returns the data flow of a node that the server can't run: its declared output, and the references in its templates.
/// `kind` is `None` for an unknown node type.
pub(crate) fn data_flow(kind: Option<&PlannedKind>, config: &Map<String, Value>) -> DataFlow {
    let calls_model_only = kind.is_some_and(|kind| kind.calls_model_only);
    let mut references = templates::references(config);
    references.extend(variable_references(config));
    DataFlow {
        references,
        inputs: InputUse {
            scope: ReferenceScope::Upstream,
            uses_all: !calls_model_only,
            ..InputUse::default()
        },
        output: declared_output(config),
        external_effects: if calls_model_only { ExternalEffects::None } else { ExternalEffects::Possible },
        ..DataFlow::default()
    }
}

fn declared_output(config: &Map<String, Value>) -> OutputShape {
    let empty = Map::new();
    let output_schema = config.get(OUTPUT_SCHEMA).and_then(Value::as_object).unwrap_or(&empty);
    let json_schema = match config.get(OUTPUT_JSON_SCHEMA) {
        Some(Value::String(text)) => SchemaText::Text(text.clone()),
        Some(Value::Object(schema)) => SchemaText::Object(schema.clone()),
        _ => SchemaText::default(),
    };
    output_shape::from_schemas(output_schema, &json_schema)
}

/// Returns the references of model configs outside of templates: the message history, if it is enabled, and the URLs of
/// images and other files.
fn variable_references(config: &Map<String, Value>) -> Vec<Reference> {
    let has_history = config.get("enable_message_history") == Some(&Value::Bool(true));
    let history = config.get("message_history_variable").and_then(Value::as_str);
    // A name without a dot may be a field of any input.
    let history = history.filter(|path| has_history && path.contains('.'));
    let mut references: Vec<Reference> =
        history.map(|path| Reference::field("/message_history_variable", path)).into_iter().collect();
    let urls = config.get("url_variables").and_then(Value::as_object).into_iter().flatten();
    let urls: IndexMap<String, String> =
        urls.filter_map(|(name, path)| Some((name.clone(), path.as_str()?.to_owned()))).collect();
    references.extend(paths::references("url_variables", &urls));
    references
}
