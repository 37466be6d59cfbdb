//! The order in which Keras lists the layers of a graph: by their distance from the outputs, farthest first, and among equals
//! in the order in which a walk from the outputs meets them.
//!
//! Keras's rule, from `map_graph` in its `function.py`, is part of its formats: weights, JSON and summaries follow it.

use super::draft::{Draft, Source};

/// Nodes of the draft, one for each input and each layer: the call of a layer that the walk meets first.
pub(super) fn listing(draft: &Draft) -> Vec<usize> {
    let walk = Walk::of(draft);
    let (inputs, layers) = (draft.nodes.len(), draft.layers.len());
    // Of inputs by their node, of layers behind them.
    let mut depths = vec![0; inputs + layers];
    let mut node_depths = vec![0; inputs];
    let slot = |node: usize| match draft.nodes[node].source {
        Source::Input { .. } => node,
        Source::Layer(layer) => inputs + layer,
    };
    for &node in walk.finished.iter().rev() {
        // A layer is as far away as its farthest call.
        let depth = depths[slot(node)].max(node_depths[node]);
        (depths[slot(node)], node_depths[node]) = (depth, depth);
        for &input in &draft.nodes[node].inputs {
            node_depths[input] = node_depths[input].max(depth + 1);
        }
    }
    let mut listed = walk.met;
    listed.sort_by_key(|&node| std::cmp::Reverse(depths[slot(node)]));
    // Inputs that no output needs come before what is as near.
    let unused = draft.inputs.iter().filter(|input| !listed.contains(input)).copied().collect::<Vec<_>>();
    let at = listed.iter().position(|&node| depths[slot(node)] == 0).unwrap_or(listed.len());
    listed.splice(at..at, unused);
    listed
}

/// A walk from the outputs to the inputs, depth first.
struct Walk {
    /// One node for each input and layer, as they were met.
    met: Vec<usize>,
    /// All nodes, each behind its inputs.
    finished: Vec<usize>,
}

impl Walk {
    fn of(draft: &Draft) -> Self {
        let mut walk = Self { met: Vec::new(), finished: Vec::new() };
        let mut visited = vec![false; draft.nodes.len()];
        let mut is_met = vec![false; draft.layers.len()];
        let mut meet = |node: usize, walk: &mut Self| match draft.nodes[node].source {
            Source::Layer(layer) if std::mem::replace(&mut is_met[layer], true) => {}
            _ => walk.met.push(node),
        };
        for &output in &draft.outputs {
            // Nodes on the way, with the number of their inputs that are done. A list, since a chain may be long.
            let mut way = Vec::new();
            if !std::mem::replace(&mut visited[output], true) {
                meet(output, &mut walk);
                way.push((output, 0));
            }
            while let Some((node, done)) = way.last_mut() {
                match draft.nodes[*node].inputs.get(*done) {
                    None => {
                        walk.finished.push(*node);
                        way.pop();
                    }
                    Some(&input) => {
                        *done += 1;
                        if !std::mem::replace(&mut visited[input], true) {
                            meet(input, &mut walk);
                            way.push((input, 0));
                        }
                    }
                }
            }
        }
        walk
    }
}
