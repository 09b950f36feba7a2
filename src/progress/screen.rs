//! A terminal with a person before it: a frame below the lines that scroll by, and commands as people read them.
//!
//! Knows the few control sequences that every terminal has (ECMA-48: cursor up, erase). A frame's lines are cut to
//! the terminal's width, as one that wraps could not be drawn over; characters that may be wide count twice.

use std::fmt::Write as _;

use super::plain::Line;
use super::step_line::StepLine;
use super::width::cut;
use crate::runner::command::{Command, Level};
use crate::runner::untrusted;

/// What is drawn below the lines.
#[derive(Debug)]
pub(super) struct Screen {
    /// Columns, asked for at each frame, as people resize windows.
    columns: fn() -> u16,
    colours: bool,
    frame: Vec<Line>,
    /// Lines of the frame that stand on the terminal now.
    drawn: usize,
}

impl Screen {
    pub(super) fn new(columns: fn() -> u16, colours: bool) -> Self {
        Self { columns, colours, frame: Vec::new(), drawn: 0 }
    }

    /// The next frame; empty for none.
    pub(super) fn frame(&mut self, lines: Vec<Line>) {
        self.frame = lines;
    }

    /// A line about a step, in no more than the terminal's width.
    pub(super) fn step(&self, line: &StepLine) -> String {
        line.cut(self.room(), self.colours)
    }

    /// Columns that a line may have, asked for each time; the last one is left free, as some terminals wrap there.
    fn room(&self) -> usize {
        usize::from((self.columns)()).max(20) - 1
    }

    /// What takes the drawn frame away: to be written before anything else is.
    pub(super) fn erase(&mut self) -> String {
        let lines = std::mem::take(&mut self.drawn);
        if lines == 0 { String::new() } else { format!("\r\u{1b}[{lines}A\u{1b}[J") }
    }

    /// What draws the frame: to be written after everything else.
    pub(super) fn draw(&mut self) -> String {
        self.drawn = self.frame.len();
        let room = self.room();
        self.frame.iter().fold(String::new(), |mut text, line| {
            match line {
                Line::Step(line) => text.push_str(&line.cut(room, self.colours)),
                Line::Text(line) => text.push_str(&cut(&untrusted::strip_colours(line), room)),
                // Nothing else stands in a frame.
                _ => {}
            }
            text.push('\n');
            text
        })
    }

    /// A command as a person reads it; nothing for those that only a runner understands.
    pub(super) fn person(&self, command: &Command) -> Option<String> {
        match command {
            Command::Annotation(annotation) => {
                let colour = match annotation.level {
                    Level::Error => 31,
                    Level::Warning => 33,
                    Level::Notice => 36,
                };
                let level = annotation.level.as_str();
                let mut text =
                    if self.colours { format!("\u{1b}[{colour}m{level}\u{1b}[0m") } else { level.into() };
                if let Some(place) = annotation.place() {
                    let _ = write!(text, ": {}", untrusted::plain(&place));
                }
                let _ = write!(text, ": {}", untrusted::plain_lines(&annotation.message));
                Some(text)
            }
            Command::Debug(text) => Some(format!("debug: {}", untrusted::plain(text))),
            Command::Group(title) => Some(untrusted::plain(title)),
            Command::EndGroup | Command::AddMask(_) | Command::StopCommands(_) | Command::Resume(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::command::Annotation;

    #[test]
    fn a_frame_is_drawn_over_itself() {
        let mut screen = Screen::new(|| 20, false);
        assert_eq!(screen.erase(), "");
        screen.frame(vec![
            Line::Text("one".into()),
            Line::Text("\u{1b}[32mtwo\u{1b}[0m is longer than it".into()),
        ]);
        assert_eq!(screen.draw(), "one\ntwo is longer than…\n");
        assert_eq!(screen.erase(), "\r\u{1b}[2A\u{1b}[J");
        assert_eq!(screen.erase(), "", "once");
        screen.frame(Vec::new());
        assert_eq!((screen.draw().as_str(), screen.erase().as_str()), ("", ""));
    }

    #[test]
    fn commands_for_people() {
        let screen = Screen::new(|| 80, true);
        let mut note = Annotation::new(Level::Warning, "a\n\u{1b}[2Jb");
        note.file = Some("Dockerfile".into());
        note.lines = Some((3, 3));
        let text = screen.person(&Command::Annotation(note)).unwrap();
        assert!(text.starts_with("\u{1b}[33mwarning\u{1b}[0m: Dockerfile:3: a\n"), "{text:?}");
        assert!(!text.contains("[2J"), "{text:?}");
        assert_eq!(screen.person(&Command::Group("Push".into())).as_deref(), Some("Push"));
        for silent in [Command::EndGroup, Command::AddMask("x".into()), Command::StopCommands("t".into())] {
            assert_eq!(screen.person(&silent), None);
        }
    }
}
