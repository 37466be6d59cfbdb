//! What each pass reads and writes.

/// The arrays of maximum pooling's forward pass.
#[derive(Debug)]
pub struct MaxForward<'a> {
    /// `[n, h, w, c]`.
    pub input: &'a [f32],
    /// `[n, oh, ow, c]`, overwritten.
    pub output: &'a mut [f32],
    /// `[n, oh, ow, c]`, overwritten: where in its window each maximum stands, `row * kernel width + column`. Rows and
    /// columns count from the window's corner, in the padding or not. The gradient needs it; inference does not.
    pub argmax: Option<&'a mut [u32]>,
}

/// The arrays of maximum pooling's gradient.
#[derive(Debug)]
pub struct MaxGradInput<'a> {
    /// `[n, oh, ow, c]`.
    pub grad_output: &'a [f32],
    /// `[n, oh, ow, c]`, as the forward pass wrote it.
    pub argmax: &'a [u32],
    /// `[n, h, w, c]`, overwritten.
    pub grad_input: &'a mut [f32],
}

/// The arrays of average pooling's forward pass.
#[derive(Debug)]
pub struct AverageForward<'a> {
    /// `[n, h, w, c]`.
    pub input: &'a [f32],
    /// `[n, oh, ow, c]`, overwritten.
    pub output: &'a mut [f32],
}

/// The arrays of average pooling's gradient.
#[derive(Debug)]
pub struct AverageGradInput<'a> {
    /// `[n, oh, ow, c]`.
    pub grad_output: &'a [f32],
    /// `[n, h, w, c]`, overwritten.
    pub grad_input: &'a mut [f32],
}
