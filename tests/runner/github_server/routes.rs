//! Which endpoints there are, what each needs, and in which order a request is refused: who asks, whether they see the
//! repository, whether they may, whether it is archived, whether the body is JSON; then the endpoint's own rules.

use super::access::{self, Access, Level, Needs, Token, access};
use super::hosted::Home;
use super::http::{Answer, Request};
use super::refusal::Refusal;
use super::{State, apps, contents, history, issues, pulls, refs};
use serde_json::{Value, json};

pub type Reply = Result<Answer, Refusal>;

/// A request for a repository that the asker may make.
pub struct Ask<'a> {
    pub state: &'a mut State,
    /// The repository's place in the state.
    at: usize,
    pub request: &'a Request,
    /// What stands below the repository's own path.
    pub rest: String,
    pub body: Value,
    /// What the route left open, in order.
    pub captured: Vec<String>,
    pub token: Option<Token>,
}

impl Ask<'_> {
    pub fn home(&self) -> &Home {
        &self.state.homes[self.at]
    }

    pub fn home_mut(&mut self) -> &mut Home {
        &mut self.state.homes[self.at]
    }

    /// The login of who asks.
    pub fn who(&self) -> String {
        self.token.as_ref().map(|token| token.login.clone()).unwrap_or_default()
    }

    /// A captured number.
    pub fn number(&self, at: usize) -> Result<u64, Refusal> {
        self.captured.get(at).and_then(|text| text.parse().ok()).ok_or_else(Refusal::not_found)
    }

    /// A text that the body must have.
    pub fn text(&self, field: &str) -> Result<String, Refusal> {
        self.optional(field).ok_or_else(|| Refusal::missing(field))
    }

    pub fn optional(&self, field: &str) -> Option<String> {
        self.body[field].as_str().map(str::to_owned)
    }

    /// Texts of a list; None where it is none.
    pub fn texts(&self, field: &str) -> Option<Vec<String>> {
        let list = self.body[field].as_array()?;
        list.iter().map(|one| one.as_str().map(str::to_owned)).collect()
    }
}

impl Request {
    /// Page, from 1, and its size: 30, at most 100.
    pub fn page(&self) -> (usize, usize) {
        let number = |name: &str, default: usize| self.parameter(name).parse().unwrap_or(default);
        (number("page", 1).max(1), number("per_page", 30).clamp(1, 100))
    }
}

struct Route {
    method: &'static str,
    /// Below `/repos/OWNER/NAME`: `{}` is one part, `{*}` all that follow.
    pattern: &'static str,
    /// Its page in the documentation.
    page: &'static str,
    needs: Needs,
    handler: fn(&mut Ask<'_>) -> Reply,
}

const METADATA: Needs = &[&[("metadata", Level::Read)]];
const READ: Needs = &[&[("contents", Level::Read)]];
const WRITE: Needs = &[&[("contents", Level::Write)]];
const PULLS: Needs = &[&[("pull_requests", Level::Read)]];
const PROPOSE: Needs = &[&[("pull_requests", Level::Write)]];
const DISCUSS: Needs = &[&[("issues", Level::Write)], &[("pull_requests", Level::Write)]];

macro_rules! routes {
    ($($method:literal $pattern:literal $needs:ident $handler:path, $page:literal;)*) => {
        &[$(Route { method: $method, pattern: $pattern, needs: $needs, handler: $handler, page: $page }),*]
    };
}

const ROUTES: &[Route] = routes! {
    "GET" "" METADATA refs::repository, "/rest/repos/repos#get-a-repository";
    "GET" "git/ref/{*}" READ refs::get, "/rest/git/refs#get-a-reference";
    "POST" "git/refs" WRITE refs::create, "/rest/git/refs#create-a-reference";
    "PATCH" "git/refs/{*}" WRITE refs::update, "/rest/git/refs#update-a-reference";
    "DELETE" "git/refs/{*}" WRITE refs::delete, "/rest/git/refs#delete-a-reference";
    "GET" "contents/{*}" READ contents::get, "/rest/repos/contents#get-repository-content";
    "GET" "compare/{*}" READ history::ask, "/rest/commits/commits#compare-two-commits";
    "GET" "git/tags/{}" READ history::ask, "/rest/git/tags#get-a-tag";
    "GET" "git/commits/{}" READ history::ask, "/rest/git/commits#get-a-commit-object";
    "GET" "commits" READ history::ask, "/rest/commits/commits#list-commits";
    "GET" "commits/{}/branches-where-head" READ history::ask, "/rest/commits/commits#list-branches-for-head-commit";
    "GET" "branches" READ history::ask, "/rest/branches/branches#list-branches";
    "GET" "pulls" PULLS pulls::list, "/rest/pulls/pulls#list-pull-requests";
    "GET" "pulls/{}" PULLS pulls::get, "/rest/pulls/pulls#get-a-pull-request";
    "POST" "pulls" PROPOSE pulls::create, "/rest/pulls/pulls#create-a-pull-request";
    "PATCH" "pulls/{}" PROPOSE pulls::update, "/rest/pulls/pulls#update-a-pull-request";
    "POST" "pulls/{}/requested_reviewers" PROPOSE issues::reviewers, "/rest/pulls/review-requests#request-reviewers-for-a-pull-request";
    "POST" "issues/{}/labels" DISCUSS issues::labels, "/rest/issues/labels#add-labels-to-an-issue";
    "POST" "issues/{}/comments" DISCUSS issues::comment, "/rest/issues/comments#create-an-issue-comment";
    "POST" "dispatches" WRITE issues::dispatch, "/rest/repos/repos#create-a-repository-dispatch-event";
};

/// The answer to a request below the API's root.
pub fn answer(state: &mut State, request: &Request, parts: &[String]) -> Answer {
    let docs = state.docs();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["app", "installations", id, "access_tokens"] if request.method == "POST" => {
            let page = "/rest/apps/apps#create-an-installation-access-token-for-an-app";
            apps::issue(state, request, id).unwrap_or_else(|no| no.answer(&docs, page))
        }
        ["repos", owner, name, "installation"] if request.method == "GET" => {
            let page = "/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app";
            apps::find(state, request, &format!("{owner}/{name}")).unwrap_or_else(|no| no.answer(&docs, page))
        }
        ["repos", owner, name, rest @ ..] => {
            let name = format!("{owner}/{name}");
            let at = state.find(&name);
            let former = || state.homes.iter().position(|home| home.former.contains(&name.to_lowercase()));
            let moved = if at.is_none() { former() } else { None };
            below(state, request, at.or(moved), moved.is_some(), rest)
        }
        ["repositories", id, rest @ ..] => {
            let at = state.homes.iter().position(|home| home.id.to_string() == *id);
            below(state, request, at, false, rest)
        }
        _ => Refusal::not_found().answer(&docs, "/rest"),
    }
}

/// The answer to what is below a repository's path; `moved` if it is called otherwise now.
fn below(state: &mut State, request: &Request, at: Option<usize>, moved: bool, rest: &[&str]) -> Answer {
    let docs = state.docs();
    let found = ROUTES.iter().find_map(|route| Some((route, captured(route, &request.method, rest)?)));
    let Some((route, captured)) = found else {
        return Refusal::not_found().answer(&docs, "/rest");
    };
    let rest = rest.join("/");
    // Whoever asks is known first.
    let answer = state.token(request).and_then(|token| match at {
        Some(at) if moved => elsewhere(state, request, token.as_ref(), at, &rest),
        Some(at) => {
            let body = Value::Null;
            ask(route, Ask { state, at, request, rest, body, captured, token })
        }
        None => Err(Refusal::not_found()),
    });
    let answer = answer.unwrap_or_else(|no| no.answer(&docs, route.page));
    answer.header("x-accepted-github-permissions", access::accepted(route.needs))
}

/// A repository that has another name now is found under its number.
fn elsewhere(state: &State, request: &Request, token: Option<&Token>, at: usize, rest: &str) -> Reply {
    let home = &state.homes[at];
    if access(token, home, METADATA, false) != Access::Allowed {
        return Err(Refusal::not_found());
    }
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let tail = if rest.is_empty() { String::new() } else { format!("/{rest}") };
    let url = format!("{}/repositories/{}{tail}{query}", state.api(), home.id);
    let (status, message) =
        if request.method == "GET" { (301, "Moved Permanently") } else { (307, "Temporary Redirect") };
    let page = "/rest/guides/best-practices-for-using-the-rest-api#follow-redirects";
    let page = format!("{}{page}", state.docs());
    let body = json!({ "message": message, "url": url, "documentation_url": page });
    Ok(Answer::json(status, &body).header("location", url))
}

/// A request for a repository, refused in order, or carried out.
fn ask(route: &Route, mut ask: Ask<'_>) -> Reply {
    let (request, token) = (ask.request, ask.token.as_ref());
    let writes = request.method != "GET";
    match access(token, ask.home(), route.needs, writes) {
        Access::Allowed => (),
        Access::Hidden => return Err(Refusal::not_found()),
        Access::Anonymous => return Err(Refusal::new(401, "Requires authentication")),
        Access::Forbidden => return Err(Refusal::new(403, token.map(Token::denied).unwrap_or_default())),
    }
    if writes && ask.home().archived {
        return Err(Refusal::new(403, "Repository was archived so is read-only."));
    }
    ask.body = request.json().ok_or_else(|| Refusal::new(400, "Problems parsing JSON"))?;
    if !ask.body.is_object() {
        return Err(Refusal::new(400, "Body should be a JSON object"));
    }
    (route.handler)(&mut ask)
}

/// What a route leaves open; None when it is another's request.
fn captured(route: &Route, method: &str, rest: &[&str]) -> Option<Vec<String>> {
    if route.method != method {
        return None;
    }
    let mut captured = Vec::new();
    let mut pattern = route.pattern.split('/').filter(|part| !part.is_empty());
    let mut rest = rest.iter();
    for part in pattern.by_ref() {
        if part == "{*}" {
            let all: Vec<&str> = rest.by_ref().copied().collect();
            captured.push(all.join("/"));
            return Some(captured);
        }
        let given = rest.next()?;
        if part == "{}" {
            captured.push((*given).to_owned());
        } else if part != *given {
            return None;
        }
    }
    rest.next().is_none().then_some(captured)
}
