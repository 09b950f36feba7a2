//! What a person sees of a run in a browser: the summary as GitHub renders it, the log as its page draws it.
//!
//! GitHub's renderer is not to be had: cmark-gfm with the extensions that GitHub uses, and Mermaid, in a headless Chromium, stand
//! in for it. What GitHub takes out of HTML is not imitated: nothing that it would take out may be there.

use crate::job::parts;
use crate::runner::parts::project;
use crate::runner::step::StepResult;
use regex::Regex;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A page as the browser has drawn it.
pub struct Page {
    /// What scripts and Mermaid had to complain about, one a line.
    pub errors: String,
    /// Charts that were drawn.
    pub charts: usize,
    /// Text that a reader sees, folded parts too.
    pub text: String,
}

/// Elements that summaries are made of, with the attributes that they may have.
const ELEMENTS: &[(&str, &[&str])] = &[
    ("a", &["href"]),
    ("br", &[]),
    ("code", &["class"]),
    ("details", &[]),
    ("h3", &[]),
    ("li", &[]),
    ("p", &[]),
    ("pre", &[]),
    ("strong", &[]),
    ("summary", &[]),
    ("table", &[]),
    ("tbody", &[]),
    ("td", &["align"]),
    ("th", &["align"]),
    ("thead", &[]),
    ("tr", &[]),
    ("ul", &[]),
];

const STYLE: &str = "
body { font: 16px/1.5 'DejaVu Sans', Emoji, sans-serif; margin: 24px; color: #1f2328; background: #fff; width: 960px }
body > :first-child { margin-top: 0 }
h3 { font-size: 1.25em } table { border-collapse: collapse; margin-bottom: 16px; font-size: 14px }
th, td { padding: 6px 13px; border: 1px solid #d1d9e0 } tr:nth-child(2n) { background: #f6f8fa }
code { font: 85% 'DejaVu Sans Mono', monospace; background: #eff1f3; padding: .2em .4em; border-radius: 6px }
pre { background: #f6f8fa; padding: 16px; border-radius: 6px; overflow: hidden } pre code { background: none; padding: 0 }
a { color: #0969da; text-decoration: none } details { margin-bottom: 16px }
.chart svg { max-width: 100% }
.log { font: 12px/20px 'DejaVu Sans Mono', monospace; background: #1f2328; color: #d1d7e0; padding: 16px; white-space: pre-wrap; border-radius: 6px }
.log .g { color: #3fb950 } .log .r { color: #f85149 } .log .d { color: #9198a1 } .log .fold { color: #d1d7e0; font-weight: bold }
.log .error { background: #5d1f1f } .log .warning { background: #4d3b0a }";

/// Draws the charts and tells in the page's own attributes what came of it.
const SCRIPT: &str = r"
const errors = [];
window.onerror = (message) => errors.push(String(message));
mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' });
(async () => {
  let charts = 0;
  await document.fonts.load('16px Emoji', '✅');
  for (const code of document.querySelectorAll('code.language-mermaid')) {
    try {
      const { svg } = await mermaid.render('chart' + charts, code.textContent);
      const place = document.createElement('div');
      place.className = 'chart';
      place.innerHTML = svg;
      code.parentElement.replaceWith(place);
      charts += 1;
    } catch (error) { errors.push(String(error)); }
  }
  document.body.dataset.errors = errors.join('\n');
  document.body.dataset.charts = charts;
  document.body.dataset.height = Math.ceil(document.body.getBoundingClientRect().bottom + 24);
})();";

/// The summary, with the picture `docs/pictures/NAME.png` when those are made anew (`UPDATE=1`).
pub fn summary(result: &StepResult, picture: Option<&str>) -> Page {
    let html = markdown(&result.summary);
    let attribute = Regex::new(r#"([^\s=/]+)(="[^"]*")?"#).expect("an expression");
    for element in Regex::new("<(/?)([a-zA-Z0-9]+)([^>]*)>").expect("an expression").captures_iter(&html) {
        let known = ELEMENTS.iter().find(|(known, _)| *known == &element[2]);
        let (_, attributes) = known.unwrap_or_else(|| panic!("`<{}>` in a summary:\n{html}", &element[2]));
        for attribute in attribute.captures_iter(&element[3]) {
            assert!(attributes.contains(&&attribute[1]), "`{}` in a summary", &element[0]);
        }
    }
    let page = draw(&html, picture);
    assert_eq!(page.errors, "", "{}", result.summary);
    page
}

/// The log, as the page of a run draws it: groups folded, markers and colours.
pub fn log(result: &StepResult, picture: Option<&str>) -> Page {
    let colour = Regex::new("\u{1b}\\[([0-9;]*)m").expect("an expression");
    let mut html = String::from("<div class=log>");
    let mut hidden = false;
    for line in &result.log_lines {
        let raw = result.raw_lines.iter().find(|raw| colour.replace_all(raw, "") == line.as_str());
        let line = raw.unwrap_or(line);
        if line == "##[endgroup]" {
            hidden = false;
        } else if let Some(group) = line.strip_prefix("##[group]") {
            hidden = true;
            let _ = writeln!(html, "<span class=fold>▸ {}</span>", escaped(group));
        } else if !hidden {
            html.push_str(&drawn(line, &colour));
        }
    }
    draw(&(html + "</div>"), picture)
}

fn drawn(line: &str, colour: &Regex) -> String {
    for (marker, class, word) in [
        ("##[error]", "error", "Error: "),
        ("##[warning]", "warning", "Warning: "),
        ("##[notice]", "notice", "Notice: "),
    ] {
        if let Some(text) = line.strip_prefix(marker) {
            return format!("<span class={class}>{word}{}</span>\n", escaped(text));
        }
    }
    let line = escaped(line);
    let line = colour.replace_all(&line, |codes: &regex::Captures<'_>| match &codes[1] {
        "32" => "<span class=g>",
        "31" => "<span class=r>",
        "90" | "2" => "<span class=d>",
        _ => "</span>",
    });
    format!("{line}\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The summary's Markdown as HTML.
fn markdown(text: &str) -> String {
    let mut command = parts().of_browser("usr/bin/cmark-gfm");
    command.args(["--unsafe", "-e", "table", "-e", "strikethrough", "-e", "autolink", "-e", "tasklist"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cmark-gfm");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("its input");
    let output = child.wait_with_output().expect("cmark-gfm");
    assert!(output.status.success(), "cmark-gfm: {output:?}");
    String::from_utf8(output.stdout).expect("HTML")
}

fn draw(body: &str, picture: Option<&str>) -> Page {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("page.html");
    let mermaid = parts().mermaid.join("mermaid.min.js");
    let emoji = parts().browser.join("usr/share/fonts/truetype/noto/NotoColorEmoji.ttf");
    let emoji = format!("@font-face {{ font-family: Emoji; src: url('file://{}') }}", emoji.display());
    let html = format!(
        "<!doctype html><meta charset=utf-8><style>{emoji}{STYLE}</style><body>{body}<script src=\"{}\"></script><script>{SCRIPT}</script>",
        mermaid.display()
    );
    std::fs::write(&file, html).expect("a page");
    let dom = run(browser(directory.path()).arg("--dump-dom").arg(format!("file://{}", file.display())));
    let told = |what: &str| {
        let found = Regex::new(&format!("data-{what}=\"([^\"]*)\"")).expect("an expression").captures(&dom);
        found.unwrap_or_else(|| panic!("the page says no `{what}`:\n{dom}"))[1].to_owned()
    };
    let height: u32 = told("height").parse().expect("a height");
    let kept = picture.filter(|_| std::env::var_os("UPDATE").is_some());
    let kept = kept.map(|name| project().join("docs/pictures").join(format!("{name}.png")));
    let picture = kept.unwrap_or_else(|| directory.path().join("page.png"));
    run(browser(directory.path())
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("--window-size=1010,{}", height.clamp(40, 4_000)))
        .arg(format!("file://{}", file.display())));
    let length = std::fs::metadata(&picture).expect("a picture").len();
    assert!(length > 2_000, "{} is empty: {length} bytes", picture.display());
    let text = Regex::new("(?s)<style.*?</style>|<script.*?</script>|<[^>]*>").expect("an expression");
    Page {
        errors: told("errors"),
        charts: told("charts").parse().expect("a number"),
        text: text.replace_all(&dom, "").into_owned(),
    }
}

fn browser(home: &Path) -> Command {
    let mut command = parts().of_browser("usr/lib/chromium/chromium-headless-shell");
    command.env("HOME", home);
    // In a namespace of root's own there is no sandbox to be had; the page is ours and loads nothing.
    command.args([
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
        "--virtual-time-budget=20000",
    ]);
    command.arg(format!("--user-data-dir={}", home.join("profile").display()));
    command
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the browser");
    assert!(output.status.success(), "the browser: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
