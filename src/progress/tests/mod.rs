//! Whole builds through the fold, the renderer and the reporter, as a person and as the runner read them.

mod plain;
mod reporter;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::event::{StatusUpdate, Vertex, VertexLog, VertexStatus};
use super::plain::{Line, Plain, PlainOptions};

const FENCE: &str = "0123456789abcdef0123456789abcdef";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(1_700_000_000_000 + millis)
}

fn plain() -> Plain {
    Plain::new(PlainOptions {
        fence: FENCE.into(),
        dockerfile: Some(("Dockerfile".into(), "services/api/Dockerfile".into())),
        quiet_warnings: false,
        platforms: true,
    })
}

fn vertex(digest: &str, name: &str, started: u64) -> Vertex {
    Vertex { digest: digest.into(), name: name.into(), started: Some(ms(started)), ..Vertex::default() }
}

fn done(vertex: Vertex, completed: u64) -> Vertex {
    Vertex { completed: Some(ms(completed)), ..vertex }
}

fn failed(vertex: Vertex, completed: u64, error: &str) -> Vertex {
    Vertex { error: error.into(), ..done(vertex, completed) }
}

fn log(digest: &str, at: u64, text: &str) -> VertexLog {
    VertexLog { vertex: digest.into(), timestamp: ms(at), stream: 1, message: text.into() }
}

fn status(digest: &str, id: &str, current: i64, total: i64, span: (u64, Option<u64>)) -> VertexStatus {
    VertexStatus {
        id: id.into(),
        vertex: digest.into(),
        current,
        total,
        started: Some(ms(span.0)),
        completed: span.1.map(ms),
        ..VertexStatus::default()
    }
}

fn vertexes(vertexes: impl Into<Vec<Vertex>>) -> StatusUpdate {
    StatusUpdate { vertexes: vertexes.into(), ..StatusUpdate::default() }
}

fn logs(logs: impl Into<Vec<VertexLog>>) -> StatusUpdate {
    StatusUpdate { logs: logs.into(), ..StatusUpdate::default() }
}

fn statuses(statuses: impl Into<Vec<VertexStatus>>) -> StatusUpdate {
    StatusUpdate { statuses: statuses.into(), ..StatusUpdate::default() }
}

fn shown(lines: &[Line]) -> Vec<String> {
    lines
        .iter()
        .map(|line| match line {
            Line::Text(text) | Line::Retry(text) => text.clone(),
            Line::Step(line) => line.text(100, false),
            Line::Group(title) => format!("::group::{}", title.text(100, false)),
            Line::Output(prefix, text) => format!("{prefix}{text}"),
            Line::Command(command) => command.to_string(),
            Line::Frame(frame) => format!("[{}]", shown(frame).join("|")),
        })
        .collect()
}

/// The lines of a build without the fence.
fn unfenced(lines: &[Line]) -> Vec<String> {
    shown(lines).into_iter().filter(|line| !line.contains(FENCE)).collect()
}

/// A terminal that keeps what it is told.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
