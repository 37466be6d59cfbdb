//! The set that the repository carries.

use std::path::Path;

use stampnet_data::{Dataset, IdxFolder, gather};

#[test]
fn fashion_mnist_is_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/fashion-mnist");
    let set = IdxFolder::open(&folder).expect("the repository carries the set, with its checksums");
    assert_eq!((set.train.len(), set.test.len()), (60_000, 10_000));
    assert_eq!(set.train.sample_shape().dims(), [28, 28, 1]);
    assert_eq!(set.train.classes(), Some(10));
    assert_eq!(set.class_names.first().map(String::as_str), Some("T-shirt/top"));
    assert_eq!(set.class_names.last().map(String::as_str), Some("Ankle boot"));
    for class in 0..10 {
        let count = |labels: &[u8]| labels.iter().filter(|&&label| label == class).count();
        assert_eq!((count(set.train.labels()), count(set.test.labels())), (6000, 1000), "class {class}");
    }

    let indices: Vec<u32> = (0..60_000).collect();
    let (mut samples, mut targets) = (vec![0.0; 60_000 * 784], vec![0.0; 60_000]);
    gather(&set.train, &indices, &mut samples, &mut targets).expect("every index exists");
    assert!(samples.iter().all(|pixel| (0.0..=1.0).contains(pixel)) && samples.contains(&1.0));
    // The mean that is known for this set, 0.2860.
    let mean = samples.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / samples.len() as f64;
    assert!((mean - 0.2860).abs() < 1e-4, "{mean}");
}
