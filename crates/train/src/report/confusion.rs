//! The confusion matrix as a table.

use std::io::{self, Write};

use console::Style;
use stampnet_nn::metrics::ConfusionMatrix;

use super::cell;
use crate::console::Console;

/// With more classes, the table would be wider than any terminal.
const MAX_CLASSES: usize = 30;

pub(super) fn print(console: &mut Console, confusion: &ConfusionMatrix, class_names: &[String]) -> io::Result<()> {
    let classes = confusion.classes();
    if classes > MAX_CLASSES {
        return writeln!(
            console,
            "The confusion matrix of {classes} classes is too wide to print; results.json has it."
        );
    }
    let bold = Style::new().bold();
    let title = "confusion matrix: a row per true class, a column per predicted class";
    writeln!(console, "{}", console.paint(bold.clone(), title))?;
    let largest = (0..classes).flat_map(|class| confusion.row(class)).max().copied().unwrap_or(0);
    let column = largest.to_string().len().max(5);
    let width = class_names.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(5, 24);
    let heads: String = class_names.iter().map(|name| format!(" {:>column$}", cell(name, column).trim_end())).collect();
    writeln!(console, "{:width$}{}", "", console.paint(bold, heads))?;
    for (actual, name) in class_names.iter().enumerate() {
        let total: u64 = confusion.row(actual).iter().sum();
        let mut row = cell(name, width);
        for (predicted, &count) in confusion.row(actual).iter().enumerate() {
            let style = style(count, total, actual == predicted);
            row += &format!(" {}", console.paint(style, format!("{count:>column$}")));
        }
        writeln!(console, "{row}")?;
    }
    Ok(())
}

/// What is right stands out green, frequent mistakes yellow and red, what never happened recedes.
fn style(count: u64, total: u64, is_right: bool) -> Style {
    let share = count as f64 / total.max(1) as f64;
    match (is_right, count) {
        (true, _) => Style::new().green().bold(),
        (false, 0) => Style::new().dim(),
        (false, _) if share >= 0.05 => Style::new().red(),
        (false, _) if share >= 0.02 => Style::new().yellow(),
        (false, _) => Style::new(),
    }
}
