//! Small IDX files.

/// An IDX file of unsigned bytes with these sizes and elements.
pub(crate) fn idx(dims: &[u32], elements: &[u8]) -> Vec<u8> {
    let axes = u8::try_from(dims.len()).expect("few axes");
    let sizes = dims.iter().flat_map(|size| size.to_be_bytes());
    [0, 0, 8, axes].into_iter().chain(sizes).chain(elements.iter().copied()).collect()
}

/// `n` images of 2 x 3 pixels; pixel `p` of image `i` is `10 * i + p`.
pub(crate) fn images(n: u8) -> Vec<u8> {
    let pixels: Vec<u8> = (0..n).flat_map(|i| (0..6).map(move |p| 10 * i + p)).collect();
    idx(&[n.into(), 2, 3], &pixels)
}

/// A file of labels.
pub(crate) fn labels(values: &[u8]) -> Vec<u8> {
    idx(&[values.len() as u32], values)
}
