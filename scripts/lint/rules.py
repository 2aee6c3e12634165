"""Word lists of the prose checks."""

import re

# Phrase (a regular expression; a space matches any white space) and the preferred wording.
DENYLIST = [
    # Glossary.
    (r"how manieth", "attempt number"),
    (r"remember(s|ed|ing)?", "store, cache"),
    (r"kept (answer|response)s?", "stored response"),
    (r"(tells?|told|telling)", "report, publish, distinguish, say"),
    (r"who(so)?ever", "the caller, the subscriber"),
    (r"(to|for|by|from|with|of) who (?!is|are)", "callers that"),
    (r"in turns", "alternately"),
    (r"(waits?|waiting|waited) for (a|its|the|their) (place|turn)", "wait for a slot"),
    (r"(go|goes|going|went|gone) on(?! (to|a|the|its)\b)", "continue, happen, run"),
    (r"behind (it|that|the (event|row|key|last|link))", "after"),
    (r"(gives?|gave|given) no answer", "is unavailable"),
    (r"(store|database|collector|server)( that)? (is|was|goes|went) away", "is unavailable"),
    (r"no room", "full"),
    (r"(?<!connection )refus(e|es|ed|al|als|ing)(?! to\b)", "reject"),
    (r"(doesn't|does not|don't|do not|didn't|did not) fit", "is invalid, doesn't match"),
    (r"misfits?", "error, mismatch"),
    (r"what (it|they|\w+ \w+) (gives?|gave)", "its output"),
    (r"works? outside of", "has side effects"),
    (r"settl(e|es|ed|ing)", "decide, complete"),
    (r"(make|makes|made|making) up for", "backfill"),
    (r"(small|capital) letters?", "lowercase or uppercase letter"),
    (r"place in a trace", "trace context"),
    (r"numbers (for|of) (prometheus|the server|runs)|the numbers (stand|are served|at)", "metrics"),
    # Negation by "no" or "none".
    (
        r"(?<!there )(is|are|was|were|isn't|be) no(?! (longer|more|less|later|earlier|larger|smaller|older|newer|better"
        r"|worse|such|other|different|one|doubt|need)\b) [a-z]+",
        "is not, invalid",
    ),
    (r"(?<!there )(is|are|as) none", "is not, is ignored"),
    # Idioms that are not English.
    (r"anew", "again"),
    (r"for ever", "forever, permanently"),
    (r"but for", "except"),
    (r"shall", "must, will"),
    (r"hardly", "rarely, probably not"),
    (r"(nobody|somebody)", "name the agent"),
    (r"(is|are|was|were|be|been) (waited|looked) (for|at|after)", "wait for, check"),
    (r"called off|calls? (it|them|\w+ \w+) off", "cancel"),
    (r"(carry|carries|carried|carrying) (\w+ ){0,2}out", "execute"),
    (r"(comes?|came|come) of (it|them|that|this)", "result"),
    (r"(comes?|came) whole|read whole", "complete"),
    (r"stands? (at|there|beside|behind|in)", "is"),
    (r"mend(s|ed|ing)?", "fix"),
    (r"of before", "before"),
    (r"to its end", "to completion"),
    (r"(end|ends|ended|go|goes|went) well", "succeed"),
    (r"by way of", "through"),
    (r"slip of the pen", "typo"),
    (r"turns? (green|red)", "succeeds, fails"),
    (r"(as|of) (it|they|he) likes?", "any number, unlimited"),
    (r"(the|half a) head of (a|the|each) request|half a head", "request headers"),
    (r"without a word", "without a response"),
    (r"(a|one) \w+ a (kind|row|node|run|resource|table|request|version)", "per"),
    (r"web site", "website, origin"),
    (r"can't (not )?both|gets? hold of", "plain words"),
]

# The trait RunStore and its implementation may be called "store" in code. To users it is the database.
DOCUMENT_DENYLIST = [
    (r"(the|a|each|every|both|either|this|that) stores?", "database"),
]

# British stems and their American form. `token.cancelled()` is an interface of tokio.
SPELLING = {
    "analyse(?!s)": "analyze", "artefact": "artifact", "authoris": "authoriz", "behaviour": "behavior",
    r"(?<![._])cancell(?=ed(?!\()|ing|er)": "cancel", "catalogue": "catalog", "centre": "center", "colour": "color",
    "customis": "customiz", "defence": "defense", "favour": "favor", "fulfil(?!l)": "fulfill", "generalis": "generaliz",
    "grey": "gray", "honour": "honor", "initialis": "initializ", "labell": "label", "licence": "license",
    "minimis": "minimiz", "modell": "model", "neighbour": "neighbor", "normalis": "normaliz",
    "optimis(?![mt])": "optimiz", "organis(?!m)": "organiz", "parallelis(?!m)": "paralleliz", "prioritis": "prioritiz",
    "recognis": "recogniz", "sanitis": "sanitiz", "serialis": "serializ", "summaris": "summariz",
    "synchronis(?!m)": "synchroniz", "travell": "travel", "utilis": "utiliz", "whilst": "while",
}

# API names with British spelling: the tag `catalogue`.
API_NAMES = re.compile(r'"catalogue"')

# The literal of Python and Rust, which is not the word "none".
LITERALS = re.compile(r"\bNone\b")

# First words of doc comments that announce a clause in place of a noun or a verb.
OPENERS = re.compile(r"(What|Whether|How|Who|Whoever|Which|That)\b")
MAX_OPENERS = 0.01

# Per 1,000 words of README, ARCHITECTURE and docs/.
CLAUSES = re.compile(r"\b(what|who|whoever|whatever)\b", re.IGNORECASE)
MAX_CLAUSES = 2.5

# Words in a sentence of a document.
MAX_SENTENCE = 25

# Functions are verbs or nouns.
PARTICIPLES = re.compile(
    r"\bfn ((?!(?:bed|embed|exceed|feed|need|proceed|red|seed|shed|speed|wed)\b)"
    r"(?:[a-z]{2,}ed|asked|drawn|found|given|held|kept|known|lost|made|met|sent|shown|taken|told|written)"
    r"(?:_(?:again|anew|aside|away|first|here|in|off|out|over|up))?)\s*[<(]"
)


def compile_phrases(phrases):
    """Returns (pattern, preferred wording) for whole words in lowercase text."""

    def any_space(part):
        # What is looked for behind a position has a fixed width.
        return r"\s+" if part[0] == " " else part[0].replace(" ", r"\s")

    compiled = []
    for phrase, preferred in phrases:
        phrase = re.sub(r"\(\?<[!=][^)]*\)| ", any_space, phrase)
        compiled.append((re.compile(rf"(?<![\w-])(?:{phrase})(?![\w-])"), preferred))
    return compiled


def compile_spelling():
    """Returns (pattern, American form) for each British stem in lowercase text."""
    return [(re.compile(stem), american) for stem, american in SPELLING.items()]
