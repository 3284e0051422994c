//! The runtime's executor on threads that persist.

use distil_runtime::Executor;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Threads that wait for work of the encoder.
#[derive(Debug)]
pub struct Threads(ThreadPool);

impl Threads {
    /// Starts this many threads; 0 means one for each core.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        ThreadPoolBuilder::new().num_threads(threads).build().map(Self)
    }
}

impl Executor for Threads {
    fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    fn join(&self, left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
        self.0.join(left, right);
    }
}
