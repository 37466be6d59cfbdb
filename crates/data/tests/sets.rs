//! Sets of tensors, subsets, orders, splits and batches.

mod common;

use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use stampnet_data::{DataError, Dataset, Idx, ImageSet, MultiSet, Subset, TensorSet, gather, order, split};
use stampnet_tensor::Tensor;

/// Sample `i` is `[i, i + 0.5]`, its target is `i % 3`.
fn tensors(n: usize) -> (Tensor, Tensor) {
    let samples = (0..n).flat_map(|i| [i as f32, i as f32 + 0.5]).collect();
    let targets = (0..n).map(|i| (i % 3) as f32).collect();
    (Tensor::from_vec([n, 2], samples).expect("fits"), Tensor::from_vec([n], targets).expect("fits"))
}

fn image_set(n: u8) -> ImageSet {
    let idx = |bytes| Idx::from_bytes(bytes).expect("the file is sound");
    let labels: Vec<u8> = (0..n).map(|i| i % 3).collect();
    ImageSet::new(idx(common::images(n)), idx(common::labels(&labels)), 3).expect("the set is sound")
}

#[test]
fn tensors_are_read_by_index() {
    let (x, y) = tensors(5);
    let set = TensorSet::new(x.view(), y.view()).expect("the set is sound");
    assert_eq!((set.len(), set.is_empty(), set.classes()), (5, false, None));
    assert_eq!((set.sample_shape().dims(), set.target_shape().rank()), ([2].as_slice(), 0));
    assert_eq!(set.with_classes(4).expect("labels are below 3").classes(), Some(4));
    let (mut sample, mut target) = ([0.0; 2], [0.0]);
    set.read(4, &mut sample, &mut target).expect("there are five");
    assert_eq!((sample, target), ([4.0, 4.5], [1.0]));
}

#[test]
fn a_row_holds_all_inputs_and_all_targets() {
    let (x, y) = tensors(5);
    let set = MultiSet::new(&[x.view(), y.view()], &[y.view(), x.view(), x.view()]).expect("the set is sound");
    let dims = |shapes: Vec<stampnet_tensor::Shape>| shapes.iter().map(|shape| shape.to_vec()).collect::<Vec<_>>();
    assert_eq!(dims(set.sample_shapes()), [vec![2], vec![]]);
    assert_eq!(dims(set.target_shapes()), [vec![], vec![2], vec![2]]);
    assert_eq!((set.len(), set.sample_shape().dims(), set.target_shape().dims()), (5, &[3][..], &[5][..]));
    let subset = Subset::new(&set, vec![4, 1]).expect("there are five");
    assert_eq!(subset.target_shapes(), set.target_shapes());
    let (mut samples, mut targets) = ([0.0; 6], [0.0; 10]);
    gather(&subset, &[0, 1], &mut samples, &mut targets).expect("there are two");
    assert_eq!(samples, [4.0, 4.5, 1.0, 1.0, 1.5, 1.0]);
    assert_eq!(targets, [1.0, 4.0, 4.5, 4.0, 4.5, 1.0, 1.0, 1.5, 1.0, 1.5]);
}

#[test]
fn inputs_and_targets_that_do_not_pair_up_are_refused() {
    let ((x, y), (_, fewer)) = (tensors(5), tensors(4));
    let nan = Tensor::from_vec([5], vec![0.0, 0.0, f32::NAN, 0.0, 0.0]).expect("fits");
    for (refused, expected) in [
        (MultiSet::new(&[], &[y.view()]), "a data set must have at least one sample; received none"),
        (MultiSet::new(&[x.view()], &[]), "a data set must have at least one target; received none"),
        (
            MultiSet::new(&[x.view(), y.view()], &[fewer.view()]),
            "all inputs and targets must have the same number of rows; received 5 and 4",
        ),
        (
            MultiSet::new(&[x.view(), nan.view()], &[y.view()]),
            "samples must be finite numbers; sample 2 holds NaN at position 0; remove the sample or repair the number",
        ),
    ] {
        assert_eq!(refused.expect_err("it is refused").to_string(), expected);
    }
}

#[test]
fn targets_may_be_tensors() {
    let (x, _) = tensors(4);
    let y = Tensor::from_vec([4, 3, 2], (0..24).map(|i| i as f32).collect()).expect("fits");
    let set = TensorSet::new(x.view(), y.view()).expect("the set is sound");
    assert_eq!(set.target_shape().dims(), [3, 2]);
    let (mut sample, mut target) = ([0.0; 2], [0.0; 6]);
    set.read(1, &mut sample, &mut target).expect("there are four");
    assert_eq!(target, [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
}

#[test]
fn bad_tensors_are_refused() {
    let tensor = |dims: &[usize]| Tensor::zeros(dims.try_into().expect("small"));
    let holding = |dims: &[usize], at: usize, value: f32| {
        let mut tensor = tensor(dims);
        tensor.data_mut()[at] = value;
        tensor
    };
    let cases = [
        (tensor(&[3, 2]), tensor(&[4]), "each sample must have one target; received 3 samples and 4 targets"),
        (
            tensor(&[0, 2]),
            tensor(&[0]),
            "a data set must have at least one sample that is not empty; received samples of shape (0, 2)",
        ),
        (
            tensor(&[3, 0]),
            tensor(&[3]),
            "a data set must have at least one sample that is not empty; received samples of shape (3, 0)",
        ),
        (
            tensor(&[]),
            tensor(&[1]),
            "a data set must have at least one sample that is not empty; received samples of shape ()",
        ),
        (
            tensor(&[3, 2]),
            tensor(&[3, 0]),
            "a data set must have at least one target that is not empty; received targets of shape (3, 0)",
        ),
        (
            holding(&[3, 2, 2], 7, f32::NAN),
            tensor(&[3]),
            "samples must be finite numbers; sample 1 holds NaN at position 3; remove the sample or repair the number",
        ),
        (
            holding(&[3, 2], 4, f32::NEG_INFINITY),
            tensor(&[3]),
            "samples must be finite numbers; sample 2 holds -inf at position 0; remove the sample or repair the number",
        ),
        (
            tensor(&[3, 2]),
            holding(&[3], 2, f32::INFINITY),
            "targets must be finite numbers; target 2 holds inf at position 0; remove the target or repair the number",
        ),
    ];
    for (x, y, expected) in &cases {
        assert_eq!(TensorSet::new(x.view(), y.view()).expect_err(expected).to_string(), *expected);
    }
}

#[test]
fn bad_labels_are_refused() {
    let x = Tensor::from_slice([3, 1], &[0.0; 3]).expect("fits");
    for (labels, classes, expected) in [
        ([0.0, 10.0, 1.0], 10, "labels must be whole numbers from 0 to 9; target 1 is 10"),
        ([0.0, 1.0, -1.0], 10, "labels must be whole numbers from 0 to 9; target 2 is -1"),
        ([0.5, 1.0, 1.0], 2, "labels must be whole numbers from 0 to 1; target 0 is 0.5"),
        (
            [0.0; 3],
            1,
            "class labels are one number per sample and two classes or more; received targets of shape () and 1 as the number of classes",
        ),
    ] {
        let y = Tensor::from_slice([3], &labels).expect("fits");
        let set = TensorSet::new(x.view(), y.view()).expect("the numbers are finite");
        assert_eq!(set.with_classes(classes).expect_err(expected).to_string(), expected);
    }
    let y = Tensor::from_slice([3, 2], &[0.0; 6]).expect("fits");
    let set = TensorSet::new(x.view(), y.view()).expect("the numbers are finite");
    assert_eq!(
        set.with_classes(2).expect_err("two numbers").to_string(),
        "class labels are one number per sample and two classes or more; received targets of shape (2,) and 2 as the number of classes"
    );
}

#[test]
fn wrong_indices_and_buffers_are_refused() {
    let (x, y) = tensors(5);
    let set = TensorSet::new(x.view(), y.view()).expect("the set is sound");
    let images = image_set(5);
    let subset = Subset::new(&set, vec![4, 0, 4]).expect("the indices exist");
    let all: [(&dyn Dataset, usize); 3] = [(&set, 5), (&images, 5), (&subset, 3)];
    for (set, n) in all {
        let len = set.sample_shape().len();
        let message = |index, sample_len, target_len| {
            let (mut sample, mut target) = (vec![0.0; sample_len], vec![0.0; target_len]);
            set.read(index, &mut sample, &mut target).expect_err("refused").to_string()
        };
        let expected = format!("an index must be below the number of samples, {n}; received {n}");
        assert_eq!(message(n, len, 1), expected);
        let expected = format!("the buffer for samples must hold {len} numbers; received room for {}", len + 1);
        assert_eq!(message(0, len + 1, 1), expected);
        assert_eq!(message(0, len, 0), "the buffer for targets must hold 1 numbers; received room for 0");
    }
}

#[test]
fn subsets_are_checked_and_read_through() {
    let (x, y) = tensors(5);
    let set = TensorSet::new(x.view(), y.view()).expect("the set is sound").with_classes(3).expect("below 3");
    let subset = Subset::new(&set, vec![4, 0, 4]).expect("the indices exist");
    assert_eq!((subset.len(), subset.classes()), (3, Some(3)));
    assert_eq!((subset.sample_shape(), subset.target_shape()), (set.sample_shape(), set.target_shape()));
    let (mut sample, mut target) = ([0.0; 2], [0.0]);
    subset.read(2, &mut sample, &mut target).expect("there are three");
    assert_eq!((sample, target), ([4.0, 4.5], [1.0]));

    let message = |indices| Subset::new(&set, indices).err().expect("refused").to_string();
    assert_eq!(message(vec![0, 5]), "an index must be below the number of samples, 5; received 5");
    assert_eq!(message(vec![]), "a subset must have at least one sample; received no index into the 5 samples");
}

#[test]
fn bad_fractions_are_refused() {
    for (fraction, len) in
        [(0.0, 10), (1.0, 10), (-0.5, 10), (1.5, 10), (f64::NAN, 10), (0.04, 10), (0.96, 10), (0.5, 0)]
    {
        assert_eq!(
            split(len, fraction, 1).expect_err("refused").to_string(),
            format!(
                "the held-out fraction must lie between 0 and 1 and leave at least one sample on each side; \
                 received {fraction} of {len} samples"
            )
        );
    }
}

#[test]
fn wrong_batches_are_refused() {
    let (x, y) = tensors(5);
    let set = TensorSet::new(x.view(), y.view()).expect("the set is sound");
    let message = |indices: &[u32], samples, targets| {
        let (mut samples, mut targets) = (vec![0.0; samples], vec![0.0; targets]);
        gather(&set, indices, &mut samples, &mut targets).expect_err("refused").to_string()
    };
    assert_eq!(message(&[0, 1], 3, 2), "the buffer for samples must hold 4 numbers; received room for 3");
    assert_eq!(message(&[0, 1], 4, 3), "the buffer for targets must hold 2 numbers; received room for 3");
    assert_eq!(message(&[0, 7], 4, 2), "an index must be below the number of samples, 5; received 7");
    assert!(gather(&set, &[], &mut [], &mut []).is_ok());
}

/// A set that fails, to see the error arrive.
struct Broken;

impl Dataset for Broken {
    fn len(&self) -> usize {
        100
    }

    fn sample_shape(&self) -> stampnet_tensor::Shape {
        [1].as_slice().try_into().expect("small")
    }

    fn target_shape(&self) -> stampnet_tensor::Shape {
        [1].as_slice().try_into().expect("small")
    }

    fn classes(&self) -> Option<usize> {
        None
    }

    fn read(&self, index: usize, _: &mut [f32], _: &mut [f32]) -> Result<(), DataError> {
        if index < 60 { Ok(()) } else { Err(DataError::Index { index, len: 60 }) }
    }
}

#[test]
fn an_error_while_reading_a_batch_is_passed_on() {
    let (mut samples, mut targets) = ([0.0; 61], [0.0; 61]);
    let indices: Vec<u32> = (0..61).collect();
    let text = gather(&Broken, &indices, &mut samples, &mut targets).expect_err("sample 60 fails").to_string();
    assert_eq!(text, "an index must be below the number of samples, 60; received 60");
}

proptest! {
    #[test]
    fn an_order_is_a_permutation(len in 0_usize..500, seed: u64, epoch: u32) {
        let mut all = order(len, seed, epoch);
        prop_assert_eq!(&all, &order(len, seed, epoch));
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..len as u32));
    }

    #[test]
    fn orders_of_epochs_and_seeds_differ(seed: u64, epoch in 0..u32::MAX) {
        prop_assert_ne!(order(60, seed, epoch), order(60, seed, epoch + 1));
        prop_assert_ne!(order(60, seed, epoch), order(60, seed.wrapping_add(1), epoch));
    }

    #[test]
    fn a_split_is_disjoint_and_complete(len in 2_usize..500, fraction in 0.0_f64..1.0, seed: u64) {
        let Ok((train, validation)) = split(len, fraction, seed) else {
            prop_assert!(fraction * (len as f64) < 0.5 || (1.0 - fraction) * (len as f64) <= 0.5);
            return Ok(());
        };
        prop_assert!((validation.len() as f64 - fraction * len as f64).abs() <= 0.5);
        prop_assert!(train.is_sorted() && validation.is_sorted());
        let mut all = [train.clone(), validation].concat();
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..len as u32));
        prop_assert_eq!(train, split(len, fraction, seed).expect("as before").0);
    }

    #[test]
    fn batches_do_not_depend_on_threads(
        indices in prop::collection::vec(0_u32..20, 0..100),
        threads in 1_usize..5,
    ) {
        let (x, y) = tensors(20);
        let tensors = TensorSet::new(x.view(), y.view()).expect("the set is sound");
        let images = image_set(20);
        let subset = Subset::new(&images, (0..20).rev().collect()).expect("the indices exist");
        let all: [&dyn Dataset; 3] = [&tensors, &images, &subset];
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        for set in all {
            let len = set.sample_shape().len();
            let (mut samples, mut targets) = (vec![f32::NAN; indices.len() * len], vec![f32::NAN; indices.len()]);
            pool.install(|| gather(set, &indices, &mut samples, &mut targets)).expect("the indices exist");
            let (mut sample, mut target) = (vec![0.0; len], [0.0]);
            for (row, &index) in indices.iter().enumerate() {
                set.read(index as usize, &mut sample, &mut target).expect("the index exists");
                prop_assert_eq!(&samples[row * len..][..len], sample.as_slice());
                prop_assert_eq!(targets[row], target[0]);
            }
        }
    }
}
