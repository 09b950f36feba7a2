//! Updates of several nodes in one log: each step keeps its node's name, and steps that two nodes have in common stay
//! two steps. As buildx writes them: `[linux/arm64 2/4] RUN make`.

use super::event::StatusUpdate;

impl StatusUpdate {
    /// The same update, told from those of other nodes.
    #[must_use]
    pub fn of_node(mut self, node: &str) -> Self {
        let mark = |digest: &mut String| *digest = format!("{node} {digest}");
        for vertex in &mut self.vertexes {
            mark(&mut vertex.digest);
            vertex.inputs.iter_mut().for_each(mark);
            vertex.name = step_of_node(node, &vertex.name);
        }
        self.statuses.iter_mut().for_each(|status| mark(&mut status.vertex));
        self.logs.iter_mut().for_each(|log| mark(&mut log.vertex));
        self.warnings.iter_mut().for_each(|warning| mark(&mut warning.vertex));
        self
    }
}

/// A step's name with its node's.
pub fn step_of_node(node: &str, step: &str) -> String {
    match step.strip_prefix('[') {
        // An update that says nothing of the name keeps the one that is known.
        None if step.is_empty() => String::new(),
        None => format!("[{node}] {step}"),
        Some(rest) => format!("[{node} {rest}"),
    }
}

/// Whether a step is the frontend's own, on whichever node.
pub(super) fn is_internal(step: &str) -> bool {
    let inside = step.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    inside.is_some_and(|(words, _)| matches!(words.rsplit(' ').next(), Some("internal" | "auth")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::event::{Vertex, VertexLog};

    #[test]
    fn names() {
        for (step, named, internal) in [
            ("[2/4] RUN make", "[linux/arm64 2/4] RUN make", false),
            ("[internal] load .dockerignore", "[linux/arm64 internal] load .dockerignore", true),
            ("[auth] acme/api:pull token", "[linux/arm64 auth] acme/api:pull token", true),
            ("exporting to image", "[linux/arm64] exporting to image", false),
            ("", "", false),
        ] {
            assert_eq!(step_of_node("linux/arm64", step), named);
            assert_eq!((is_internal(step), is_internal(named)), (internal, internal), "{step}");
        }
    }

    #[test]
    fn the_same_step_on_two_nodes_is_two() {
        let update = || StatusUpdate {
            vertexes: vec![Vertex { digest: "d".into(), inputs: vec!["i".into()], ..Vertex::default() }],
            logs: vec![VertexLog { vertex: "d".into(), ..VertexLog::default() }],
            ..StatusUpdate::default()
        };
        let (one, other) = (update().of_node("a"), update().of_node("b"));
        assert_ne!(one.vertexes[0].digest, other.vertexes[0].digest);
        assert_ne!(one.vertexes[0].inputs, other.vertexes[0].inputs);
        assert_eq!(one.vertexes[0].digest, one.logs[0].vertex);
    }
}
