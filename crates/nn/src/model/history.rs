//! How training went.

use std::fmt::Write;

use crate::EpochLog;

/// Losses and accuracies of every epoch of a training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    epochs: Vec<EpochLog>,
}

impl History {
    pub(crate) fn push(&mut self, log: EpochLog) {
        self.epochs.push(log);
    }

    /// The completed epochs, in order.
    pub fn epochs(&self) -> &[EpochLog] {
        &self.epochs
    }

    /// The last completed epoch.
    pub fn last(&self) -> Option<&EpochLog> {
        self.epochs.last()
    }

    /// The table that Keras's `CSVLogger` writes: a header `epoch,accuracy,loss,val_accuracy,val_loss`, then a line for each
    /// epoch, counted from 0. Columns that no epoch has are left out; every number reads back as the same number.
    ///
    /// ```
    /// # use stampnet_data::TensorSet;
    /// # use stampnet_nn::{layers::Dense, FitOptions, Loss, Sequential, Sgd};
    /// # use stampnet_tensor::Tensor;
    /// # let x = Tensor::from_vec([2, 1], vec![1.0, 2.0])?;
    /// # let data = TensorSet::new(x.view(), x.view())?;
    /// let mut model = Sequential::new(1).add(Dense::new(1)).build(42)?;
    /// model.compile(Sgd::new(0.1), Loss::MeanSquaredError)?;
    /// let history = model.fit(&data, FitOptions::new(3).validation(&data))?;
    /// let csv = history.to_csv();
    /// assert!(csv.starts_with("epoch,loss,val_loss\n0,"));
    /// assert_eq!(csv.lines().count(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_csv(&self) -> String {
        // The columns of all epochs, each once, in the order of the entries.
        let mut columns: Vec<String> = Vec::new();
        for (name, _) in self.epochs.iter().flat_map(EpochLog::entries) {
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
        columns.sort_by(|a, b| (a.starts_with("val_"), a).cmp(&(b.starts_with("val_"), b)));
        let mut csv = String::from("epoch");
        for column in &columns {
            write!(csv, ",{column}").expect("a string takes every text");
        }
        csv.push('\n');
        for log in &self.epochs {
            write!(csv, "{}", log.epoch).expect("a string takes every text");
            for column in &columns {
                let value = log.get(column).map(|value| value.to_string()).unwrap_or_default();
                write!(csv, ",{value}").expect("a string takes every text");
            }
            csv.push('\n');
        }
        csv
    }
}
