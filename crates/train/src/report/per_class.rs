//! A line per class: how many were right, and what the others were taken for.

use std::io::{self, Write};

use console::Style;
use stampnet_nn::metrics::ConfusionMatrix;

use super::cell;
use crate::console::{Console, thousands};

/// Characters of a bar for 100 %.
const BAR: usize = 18;

pub(super) fn print(console: &mut Console, confusion: &ConfusionMatrix, class_names: &[String]) -> io::Result<()> {
    let width = class_names.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(5, 24);
    let head = format!("{}   images   right  accuracy{:21}mostly mistaken for", cell("class", width), "");
    writeln!(console, "{}", console.paint(Style::new().bold(), head))?;
    for (class, name) in class_names.iter().enumerate() {
        let images: u64 = confusion.row(class).iter().sum();
        let (name, images) = (cell(name, width), thousands(images as usize));
        let right = thousands(confusion.count(class, class) as usize);
        let Some(accuracy) = confusion.class_accuracy(class) else {
            writeln!(console, "{name}{images:>9}{right:>8}         -")?;
            continue;
        };
        let bar = "█".repeat((accuracy * BAR as f64).round() as usize);
        let bar = console.paint(Style::new().cyan(), format!("{bar:BAR$}"));
        let mistake = most_often(confusion, class).map_or_else(String::new, |(other, count)| {
            format!("{} ({})", class_names[other], thousands(count as usize))
        });
        writeln!(console, "{name}{images:>9}{right:>8}{:>8.1} %  {bar} {mistake}", 100.0 * accuracy)?;
    }
    Ok(())
}

/// The other class that images of `class` were most often taken for.
fn most_often(confusion: &ConfusionMatrix, class: usize) -> Option<(usize, u64)> {
    let others = confusion.row(class).iter().copied().enumerate().filter(|&(other, count)| other != class && count > 0);
    others.max_by_key(|&(other, count)| (count, usize::MAX - other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_mistake_is_named() {
        let mut confusion = ConfusionMatrix::new(3);
        for (actual, predicted) in [(0, 0), (0, 2), (0, 1), (0, 2), (1, 1), (2, 0), (2, 1)] {
            confusion.add(actual, predicted);
        }
        assert_eq!(most_often(&confusion, 0), Some((2, 2)));
        assert_eq!(most_often(&confusion, 1), None);
        // The first of equals.
        assert_eq!(most_often(&confusion, 2), Some((0, 1)));
    }
}
