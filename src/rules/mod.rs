//! Tag rules in metadata-action's language, and whole references: from text to values.
//!
//! Owns the grammar of `tags` and `flavor` (`parse`), expressions and dates within them (`template`), and the versions that
//! they compare (`version`). Pure: the time is a value, too. Refuses to know an event: what rules make of one is
//! `metadata::rules`.
//!
//! The source is docker/metadata-action 6.2: the same text and event give the same names, in the same order. What is
//! different, each on purpose:
//!
//! | where | metadata-action | here |
//! |---|---|---|
//! | an attribute that no type has | ignored | a fault, with the name that was meant |
//! | an attribute of another type, `latest` or `onlatest` on a rule | ignored | ignored, with a notice |
//! | an attribute given twice | the last counts | the same, with a notice |
//! | an empty field, `type=raw,value=x,` | empties `value` | nothing |
//! | a comma in quotes, in `{{…}}` or in `\d{1,2}` | separates | does not |
//! | `=` within `{{…}}` of a bare word | separates | does not |
//! | a bare word with a `:`, or that begins with a registry's host | a tag with `-` | a whole reference |
//! | an unknown expression | the empty text | a fault that names it |
//! | blocks, comments, `~` of Handlebars | carried out | a fault that names them |
//! | `&`, `<`, `>`, quotes, `=` of a value | HTML entities | as they are |
//! | an unknown time zone, a format with `%Y` | UTC; letters as they come | a fault |
//! | `priority` that is no number | any order | a fault |
//! | `match=` without a group | the step fails when it matches | a fault |
//! | `match=` that does not match | the whole text is taken | the rule makes nothing |
//! | a `group` that the pattern does not have | a warning | a fault |
//! | look-around, back-references, `\p{…}` | carried out | a fault that names them |
//! | `onlatest` in a line without prefix and suffix | ignored | a fault |
//! | `=` in a prefix or suffix of `flavor` | ends it | is part of it |
//! | expressions in the prefix and suffix of `latest` | their text | their value |
//! | `latest` twice, by a rule and by `flavor` | two lines | one tag |
//! | a tag longer than 128 characters, or that starts with `.` or `-` | fails at the push | a fault |
//! | `pull_request_target`, `issue_comment`, `workflow_run` | `GITHUB_REF`, but for the first | what the run is about |
//! | numbers of PEP 440 beyond 2^53 | rounded | exact |
//! | no `tags` | four rules | the default strategy |

mod fault;
#[cfg(test)]
mod fuzz_tests;
mod line;
mod moment;
#[cfg(test)]
pub(crate) mod mutate_tests_support;
mod parse;
mod pattern;
mod pep440;
mod reference;
mod rule;
mod template;
mod version;

pub(crate) use fault::shown;
pub use fault::{Fault, Input, Notice, Place};
pub use parse::{names_pull_request_head, parse, short_sha_length};
pub use pattern::Pattern;
pub(crate) use pattern::{LONGEST_TEXT, NoMatch};
pub use pep440::Pep440;
pub use rule::{Entry, Flavor, Kind, Latest, Priority, RefEvent, Reference, Rule, Scheme, TagRules};
pub use template::{Scope, Template, Values};
pub use version::RuleVersion;
