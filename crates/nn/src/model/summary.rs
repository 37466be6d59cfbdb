//! The table of layers that Keras prints.

use stampnet_tensor::Shape;

use super::draft::Form;
use super::graph::{Graph, Node};
use crate::BatchShape;

/// The narrowest table.
const MIN_WIDTH: usize = 40;

/// Keras's columns: title, where it ends as a share of the table's width, and whether it is aligned to the right.
type Column = (&'static str, f64, bool);

/// For models that are a chain.
const CHAIN: &[Column] = &[("Layer (type)", 0.45, false), ("Output Shape", 0.8, false), ("Param #", 1.0, true)];

/// For all others.
const GRAPH: &[Column] = &[
    ("Layer (type)", 0.3, false),
    ("Output Shape", 0.56, false),
    ("Param #", 0.74, true),
    ("Connected to", 1.0, false),
];

/// Renders the table `width` characters wide.
pub(super) fn render(graph: &Graph, width: usize) -> String {
    let columns = if is_chain(graph) { CHAIN } else { GRAPH };
    let table = Table::new(columns, width.max(MIN_WIDTH));
    let mut text = format!("Model: \"{}\"\n", graph.name);
    table.rule(&mut text, ["┏", "┳", "┓"], "━");
    table.row(&mut text, columns.iter().map(|(title, ..)| (*title).to_owned()), "┃");
    table.rule(&mut text, ["┡", "╇", "┩"], "━");
    // A Sequential's input is not in the table.
    let rows = graph.listing.iter().filter(|&&node| graph.form == Form::Functional || graph.layer(node).is_some());
    for (i, &node) in rows.enumerate() {
        if i > 0 {
            table.rule(&mut text, ["├", "┼", "┤"], "─");
        }
        table.row(&mut text, cells(graph, node).into_iter().take(columns.len()), "│");
    }
    table.rule(&mut text, ["└", "┴", "┘"], "─");
    let sum = |trainable: bool| -> usize {
        let weights = graph.specs().filter(|spec| spec.trainable == trainable);
        weights.map(|spec| Shape::len(&spec.weight.shape)).sum()
    };
    let (trainable, frozen) = (sum(true), sum(false));
    for (what, count) in [("Total", trainable + frozen), ("Trainable", trainable), ("Non-trainable", frozen)] {
        text += &format!(" {what} params: {} ({})\n", grouped(count), memory(count * size_of::<f32>()));
    }
    text
}

/// Whether every value is taken by one layer at most, and every layer takes one value and is called once.
fn is_chain(graph: &Graph) -> bool {
    let takers = |i: usize, node: &Node| node.uses - graph.outputs.iter().filter(|&&output| output == i).count();
    graph.inputs.len() == 1
        && graph.layers.iter().all(|layer| layer.calls.len() == 1)
        && graph.nodes.iter().enumerate().all(|(i, node)| node.inputs.len() <= 1 && takers(i, node) <= 1)
}

/// Name, output shape, number of weights, and what a layer or an input is connected to.
fn cells(graph: &Graph, node: usize) -> [String; 4] {
    let (mut shape, mut parameters, mut connections) = (graph.nodes[node].output, 0, Vec::new());
    if let Some(layer) = graph.layer(node) {
        // Keras shows the shape of the last call.
        shape = layer.calls.last().map_or(shape, |&call| graph.nodes[call].output);
        parameters = layer.parameters();
        for &input in layer.calls.iter().flat_map(|&call| &graph.nodes[call].inputs) {
            connections.push(format!("{}[{}][0]", graph.name_of(input), graph.call_index(input)));
        }
    }
    let connections = if connections.is_empty() { "-".to_owned() } else { connections.join(", ") };
    [graph.label(node), BatchShape(shape).to_string(), grouped(parameters), connections]
}

/// The table's columns, with the widths that Keras's summary gives them.
struct Table {
    columns: Vec<(usize, bool)>,
}

impl Table {
    /// Columns that end at their shares of the width. Keras asks for two spaces in each column on top of that, and does not count
    /// the borders; what is too much is taken from all columns alike, rounded as in `ratio_reduce` of the library `rich`.
    fn new(columns: &[Column], width: usize) -> Self {
        let mut excess = 3 * columns.len() + 1;
        let mut from = 0;
        let widths = columns.iter().enumerate().map(|(i, &(_, end, is_right))| {
            let to = (end * width as f64) as usize;
            let less = (excess as f64 / (columns.len() - i) as f64).round_ties_even() as usize;
            let column = to - from + 2 - less;
            (from, excess) = (to, excess - less);
            (column, is_right)
        });
        Self { columns: widths.collect() }
    }

    fn rule(&self, text: &mut String, [left, middle, right]: [&str; 3], line: &str) {
        *text += left;
        *text += &self.columns.iter().map(|&(width, _)| line.repeat(width)).collect::<Vec<_>>().join(middle);
        *text += right;
        text.push('\n');
    }

    /// A row of cells, wrapped at spaces.
    fn row(&self, text: &mut String, cells: impl Iterator<Item = String>, border: &str) {
        let cells: Vec<_> = cells.zip(&self.columns).map(|(cell, &(width, _))| wrap(&cell, width - 2)).collect();
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            for (cell, &(width, is_right)) in cells.iter().zip(&self.columns) {
                let (part, width) = (cell.get(line).map_or("", String::as_str), width - 2);
                *text +=
                    &if is_right { format!("{border} {part:>width$} ") } else { format!("{border} {part:<width$} ") };
            }
            *text += border;
            text.push('\n');
        }
    }
}

/// Lines of at most `width` characters, broken at spaces; a word that is too long is cut short.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let word: Vec<char> = word.chars().collect();
        let line = lines.last_mut().expect("there is a line");
        let used = line.chars().count();
        if used > 0 && used + 1 + word.len() <= width {
            line.push(' ');
            line.extend(word);
            continue;
        }
        let fits = word.len() <= width;
        let word: String =
            if fits { word.iter().collect() } else { word[..width - 1].iter().chain(['…'].iter()).collect() };
        if used > 0 {
            lines.push(word);
        } else {
            *line = word;
        }
    }
    lines
}

/// A count with its thousands apart: `333,526`.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit that leaves a number of at least 1.
fn memory(bytes: usize) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if size < 1024.0 {
            return format!("{size:.2} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.2} TB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_at_spaces_and_long_words_are_cut() {
        assert_eq!(wrap("max_pooling2d (MaxPooling2D)", 26), ["max_pooling2d", "(MaxPooling2D)"]);
        assert_eq!(wrap("conv2d (Conv2D)", 26), ["conv2d (Conv2D)"]);
        assert_eq!(wrap("batch_normalization (B)", 8), ["batch_n…", "(B)"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn numbers_read_as_in_keras() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_333_526), "1,333,526");
        assert_eq!(memory(940), "940.00 B");
        assert_eq!(memory(4 * 333_526), "1.27 MB");
    }
}
