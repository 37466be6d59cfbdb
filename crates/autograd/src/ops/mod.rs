//! One file per operation: its method on [`Tape`](crate::Tape), its forward run and, beside it, its gradient.

mod arithmetic;
