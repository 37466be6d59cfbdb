//! The table of layers that Keras prints.

use stampnet_tensor::Shape;

use super::Graph;
use crate::BatchShape;

/// The narrowest table.
const MIN_WIDTH: usize = 40;

/// Cells of the table, with the widths that Keras's summary gives its columns.
struct Table {
    /// Characters between the borders of each column, a space on either side included.
    widths: [usize; 3],
}

/// Renders the table `width` characters wide.
pub(super) fn render(graph: &Graph, width: usize) -> String {
    let table = Table::new(width.max(MIN_WIDTH));
    let mut text = format!("Model: \"{}\"\n", graph.sequential.name);
    table.rule(&mut text, ["┏", "┳", "┓"], "━");
    table.row(&mut text, ["Layer (type)", "Output Shape", "Param #"], "┃");
    table.rule(&mut text, ["┡", "╇", "┩"], "━");
    for (i, (named, node)) in graph.sequential.layers.iter().zip(&graph.nodes).enumerate() {
        if i > 0 {
            table.rule(&mut text, ["├", "┼", "┤"], "─");
        }
        let shape = BatchShape(node.output).to_string();
        table.row(&mut text, [&named.label(), &shape, &grouped(node.parameters())], "│");
    }
    table.rule(&mut text, ["└", "┴", "┘"], "─");
    let sum = |trainable: bool| -> usize {
        let weights = graph.nodes.iter().flat_map(|node| &node.weights);
        weights.filter(|weight| weight.trainable == trainable).map(|weight| Shape::len(&weight.shape)).sum()
    };
    let (trainable, state) = (sum(true), sum(false));
    for (what, count) in [("Total", trainable + state), ("Trainable", trainable), ("Non-trainable", state)] {
        text += &format!(" {what} params: {} ({})\n", grouped(count), memory(count * size_of::<f32>()));
    }
    text
}

impl Table {
    /// Columns that end at 45, 80 and 100 % of the width, less an equal share of what the borders take.
    fn new(width: usize) -> Self {
        let (first, second) = (width * 45 / 100, width * 80 / 100);
        // Keras asks for these widths plus two spaces each; the table has four borders less room: ten too many.
        Self { widths: [first + 2 - 3, second - first + 2 - 4, width - second + 2 - 3] }
    }

    fn rule(&self, text: &mut String, [left, middle, right]: [&str; 3], line: &str) {
        *text += left;
        *text += &self.widths.map(|width| line.repeat(width)).join(middle);
        *text += right;
        text.push('\n');
    }

    /// A row of cells, wrapped at spaces; the last cell is aligned to the right.
    fn row(&self, text: &mut String, cells: [&str; 3], border: &str) {
        let columns: Vec<_> = cells.iter().zip(self.widths).map(|(cell, width)| wrap(cell, width - 2)).collect();
        for line in 0..columns.iter().map(Vec::len).max().unwrap_or(0) {
            let part = |column: usize| columns[column].get(line).map_or("", String::as_str);
            let [a, b, c] = self.widths.map(|width| width - 2);
            *text += &format!("{border} {:<a$} {border} {:<b$} {border} {:>c$} {border}\n", part(0), part(1), part(2),);
        }
    }
}

/// Lines of at most `width` characters, broken at spaces, or within words that are too long.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let line = lines.last_mut().expect("there is a line");
        let used = line.chars().count();
        if used > 0 && used + 1 + word.len() <= width {
            line.push(' ');
            line.extend(word);
            continue;
        }
        if used > 0 {
            lines.push(String::new());
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.last_mut().expect("there is a line").extend(word);
            lines.push(String::new());
            word = rest;
        }
        lines.last_mut().expect("there is a line").extend(word);
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
    fn text_wraps_at_spaces_and_within_long_words() {
        assert_eq!(wrap("max_pooling2d (MaxPooling2D)", 26), ["max_pooling2d", "(MaxPooling2D)"]);
        assert_eq!(wrap("conv2d (Conv2D)", 26), ["conv2d (Conv2D)"]);
        assert_eq!(wrap("batch_normalization (B)", 8), ["batch_no", "rmalizat", "ion (B)"]);
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
