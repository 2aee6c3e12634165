//! The names of all kinds, and how the catalogue presents those that it lists.

use std::sync::LazyLock;

/// How the catalogue presents a kind. Colours and acronyms are those by which people know the kinds from
/// PySpur's editor.
pub(crate) struct Listed {
    /// The name in definitions.
    pub(crate) name: &'static str,
    /// The name that people see.
    pub(crate) title: &'static str,
    /// A few letters for small places.
    pub(crate) acronym: &'static str,
    /// The colour, as `#RRGGBB`.
    pub(crate) color: &'static str,
    /// The service that the kind talks to, when there is one: its name and the path of its logo.
    pub(crate) service: Option<Service>,
    /// Whether the kind fixes what its nodes give.
    pub(crate) has_fixed_output: bool,
}

/// A service that kinds talk to.
#[derive(Clone, Copy)]
pub(crate) struct Service {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where an editor finds its logo.
    pub(crate) logo: &'static str,
}

/// A kind that fits every workflow.
const fn own(name: &'static str, title: &'static str, acronym: &'static str, color: &'static str) -> Listed {
    Listed { name, title, acronym, color, service: None, has_fixed_output: false }
}

/// A kind that talks to a service.
const fn at(
    service: Service,
    name: &'static str,
    title: &'static str,
    acronym: &'static str,
    color: &'static str,
) -> Listed {
    Listed { name, title, acronym, color, service: Some(service), has_fixed_output: true }
}

const fn service(name: &'static str, logo: &'static str) -> Service {
    Service { name, logo }
}

const SLACK: Service = service("Slack", "/images/slack.png");
const GOOGLE: Service = service("Google", "/images/google.png");
const YOUTUBE: Service = service("YouTube", "/images/youtube.png");
const GITHUB: Service = service("GitHub", "/images/github.png");
const JINA_AI: Service = service("Jina.AI", "/images/jina.png");
const REDDIT: Service = service("Reddit", "/images/reddit.png");
const FIRECRAWL: Service = service("Firecrawl", "/images/firecrawl.png");
const SEARCH: Service = service("Search", "/images/exa.png");

/// The kinds of the catalogue by category, in its order.
pub(crate) const LISTED: &[(&str, &[Listed])] = &[
    (
        "Input/Output",
        &[own("InputNode", "Input", "IN", "#6F42C1"), own("OutputNode", "Output", "ON", "#17A2B8")],
    ),
    (
        "AI",
        &[
            own("SingleLLMCallNode", "Single LLM Call", "SLCN", "#007BFF"),
            own("AgentNode", "Agent", "AN", "#E83E8C"),
            own("RetrieverNode", "Retriever", "RN", "#FFC107"),
            own("BestOfNNode", "Best of N", "BONN", "#007BFF"),
        ],
    ),
    ("Code Execution", &[own("PythonFuncNode", "Python Function", "PFN", "#6610F2")]),
    (
        "Logic",
        &[
            own("RouterNode", "Router", "RN", "#FF7F50"),
            own("CoalesceNode", "Coalesce", "CN", "#28A745"),
            own("MergeNode", "Merge", "MN", "#6F42C1"),
            own("StaticValueNode", "Static Value", "CVN", "#20C997"),
            own("HumanInterventionNode", "HumanIntervention", "HIN", "#6610F2"),
        ],
    ),
    ("Experimental", &[own("ForLoopNode", "ForLoopNode", "FL", "#00BFFF")]),
    (
        "Integrations",
        &[
            at(SLACK, "SlackNotifyNode", "SlackNotify", "SNN", "#FD7E14"),
            at(GOOGLE, "GoogleSheetsReadNode", "GoogleSheetsRead", "GSRN", "#6F42C1"),
            at(YOUTUBE, "YouTubeTranscriptNode", "YouTubeTranscript", "YTN", "#DC3545"),
            at(GITHUB, "GitHubListPullRequestsNode", "GitHubListPullRequests", "GLPRN", "#8A2BE2"),
            at(GITHUB, "GitHubListRepositoriesNode", "GitHubListRepositories", "GLRN", "#8CC63F"),
            at(GITHUB, "GitHubGetRepositoryNode", "GitHubGetRepository", "GGRN", "#FA8072"),
            at(GITHUB, "GitHubSearchRepositoriesNode", "GitHubSearchRepositories", "GSRN", "#FFC107"),
            at(GITHUB, "GitHubGetPullRequestNode", "GitHubGetPullRequest", "GGPRN", "#17A2B8"),
            at(GITHUB, "GitHubGetPullRequestChangesNode", "GitHubGetPullRequestChanges", "GGPRCN", "#DC3545"),
            at(GITHUB, "GitHubCreateIssueNode", "GitHubCreateIssue", "GCIN", "#20C997"),
            at(JINA_AI, "JinaReaderNode", "Reader", "JRN", "#DC3545"),
            at(REDDIT, "RedditCreatePostNode", "RedditCreatePost", "RCPN", "#17A2B8"),
            at(REDDIT, "RedditGetTopPostsNode", "RedditGetTopPosts", "RGTPN", "#E83E8C"),
            at(REDDIT, "RedditGetUserInfoNode", "RedditGetUserInfo", "RGUIN", "#007BFF"),
            at(REDDIT, "RedditGetSubredditInfoNode", "RedditGetSubredditInfo", "RGSIN", "#FF00FF"),
            at(REDDIT, "RedditGetSubredditStatsNode", "RedditGetSubredditStats", "RGSSN", "#6F42C1"),
            at(REDDIT, "RedditGetTrendingSubredditsNode", "RedditGetTrendingSubreddits", "RGTSN", "#007BFF"),
            at(FIRECRAWL, "FirecrawlCrawlNode", "Firecrawl Crawl", "FCN", "#FF00FF"),
            at(FIRECRAWL, "FirecrawlScrapeNode", "Firecrawl Scrape", "FSN", "#E83E8C"),
            at(SEARCH, "ExaSearchNode", "ExaSearch", "ESN", "#FF7F50"),
            Listed { has_fixed_output: true, ..own("SendEmailNode", "Send Email", "SEN", "#FD7E14") },
        ],
    ),
];

/// Kinds of older workflows: known, so that these can still be saved, but no longer offered.
const UNLISTED: [&str; 10] = [
    "AdvancedLLMNode",
    "AnkiBasicNode",
    "BranchSolveMergeNode",
    "MCTSNode",
    "MixtureOfAgentsNode",
    "SelfConsistencyNode",
    "StringOutputLLMNode",
    "StructuredOutputNode",
    "SubworkflowNode",
    "TreeOfThoughtsNode",
];

/// The name of every kind.
pub(crate) static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let listed = LISTED.iter().flat_map(|(_, kinds)| kinds.iter()).map(|kind| kind.name);
    listed.chain(UNLISTED).collect()
});

/// The kinds, by name alone, that call a language model and give what it says; they change nothing elsewhere.
const LLMS: [&str; 10] = [
    "AdvancedLLMNode",
    "BestOfNNode",
    "BranchSolveMergeNode",
    "MCTSNode",
    "MixtureOfAgentsNode",
    "SelfConsistencyNode",
    "SingleLLMCallNode",
    "StringOutputLLMNode",
    "StructuredOutputNode",
    "TreeOfThoughtsNode",
];

/// Whether nodes of the kind only call a language model, with what their templates name.
pub(crate) fn is_llm(name: &str) -> bool {
    LLMS.contains(&name)
}
