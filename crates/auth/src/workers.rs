use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::metrics::{QueueMetrics, Refusal};

/// More was asked for than the hashing workers do in time. It may work a little later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hashing workers are overloaded")]
pub struct Overloaded {
    /// When to try again.
    pub retry_after: Duration,
}

/// Threads that do long work, each with a scratch space `S` of its own that it keeps.
///
/// Async threads only wait for them. They run at a lower priority than those, so that pages stay
/// fast while passwords are hashed; the queue is bounded, and whoever has waited for too long or
/// has gone away is not worked for.
pub(crate) struct Workers<S> {
    jobs: SyncSender<Job<S>>,
    max_wait: Duration,
    metrics: QueueMetrics,
}

struct Job<S> {
    ticket: Arc<Ticket>,
    queued: Instant,
    work: Box<dyn FnOnce(&mut S) + Send>,
}

/// Is claimed once: by the worker who begins the job, or by the caller who gives it up.
#[derive(Default)]
struct Ticket(AtomicBool);

impl Ticket {
    fn claim(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// Gives the job up when its caller is dropped.
struct Claimant(Arc<Ticket>);

impl Drop for Claimant {
    fn drop(&mut self) {
        self.0.claim();
    }
}

impl<S: Default + 'static> Workers<S> {
    /// Starts `count` threads, before which at most `queue` jobs wait, each for at most `max_wait`.
    pub(crate) fn start(count: usize, queue: usize, max_wait: Duration) -> Self {
        let (jobs, waiting) = sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        let metrics = QueueMetrics::new(queue);
        for _ in 0..count {
            let (waiting, metrics) = (Arc::clone(&waiting), metrics.clone());
            let thread = std::thread::Builder::new().name("countersign-hash".to_owned());
            // With fewer threads work takes longer; with none, everybody hears `Overloaded`.
            if let Err(error) = thread.spawn(move || work_off(&waiting, &metrics)) {
                tracing::error!(%error, "a hashing worker could not be started");
            }
        }
        Self { jobs, max_wait, metrics }
    }

    pub(crate) fn metrics(&self) -> &QueueMetrics {
        &self.metrics
    }

    /// Has `work` done by the next free worker.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let overloaded = Overloaded { retry_after: self.max_wait.max(Duration::from_secs(1)) };
        let (reply, mut answer) = oneshot::channel();
        let ticket = Arc::new(Ticket::default());
        let duration = self.metrics.duration.clone();
        let work = Box::new(move |scratch: &mut S| {
            let begun = Instant::now();
            let done = work(scratch);
            // Before the answer: whoever has that finds the work counted.
            duration.observe(begun.elapsed().as_secs_f64());
            let _caller_has_gone = reply.send(done);
        });
        let job = Job { ticket: Arc::clone(&ticket), queued: Instant::now(), work };
        let claimant = Claimant(ticket);
        self.queue(job).map_err(|_| overloaded)?;
        let done = match tokio::time::timeout(self.max_wait, &mut answer).await {
            Ok(done) => done,
            Err(_) if claimant.0.claim() => {
                self.metrics.refused(Refusal::WaitedTooLong);
                return Err(overloaded);
            }
            Err(_) => answer.await, // it is being worked on
        };
        done.map_err(|_| overloaded)
    }

    fn queue(&self, job: Job<S>) -> Result<(), TrySendError<Job<S>>> {
        // Counted first: a worker may take it at once.
        self.metrics.depth.inc();
        self.jobs.try_send(job).inspect_err(|_| {
            self.metrics.depth.dec();
            self.metrics.refused(Refusal::QueueFull);
        })
    }
}

fn work_off<S: Default>(waiting: &Mutex<Receiver<Job<S>>>, metrics: &QueueMetrics) {
    lower_priority();
    let mut scratch = S::default();
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        metrics.depth.dec();
        if !job.ticket.claim() {
            continue;
        }
        metrics.wait.observe(job.queued.elapsed().as_secs_f64());
        // A job that panics costs its caller the answer, not everybody a worker.
        if catch_unwind(AssertUnwindSafe(|| (job.work)(&mut scratch))).is_err() {
            tracing::error!("a hashing job panicked");
            scratch = S::default();
        }
    }
}

/// On Linux niceness belongs to a thread; elsewhere it would slow the whole process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::getpriority_process(None)
        .and_then(|own| rustix::process::setpriority_process(None, own.max(10)))
    {
        tracing::debug!(%error, "a hashing worker runs at normal priority");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// Keeps the only worker busy until the sender is dropped.
    async fn occupy(workers: &Arc<Workers<u32>>) -> Sender<()> {
        let (release, until) = channel::<()>();
        let (started, is_started) = oneshot::channel();
        let busy = Arc::clone(workers);
        tokio::spawn(async move {
            busy.run(move |_| {
                let _ = started.send(());
                let _ = until.recv();
            })
            .await
        });
        is_started.await.unwrap();
        release
    }

    #[tokio::test]
    async fn work_is_done_on_another_thread_with_the_workers_own_scratch() {
        let workers = Workers::<u32>::start(1, 8, LONG);
        let count = |scratch: &mut u32| {
            *scratch += 1;
            (*scratch, std::thread::current().id())
        };
        let (first, thread) = workers.run(count).await.unwrap();
        let (second, same_thread) = workers.run(count).await.unwrap();
        assert_eq!((first, second), (1, 2));
        assert_eq!(thread, same_thread);
        assert_ne!(thread, std::thread::current().id());
    }

    #[tokio::test]
    async fn a_full_queue_turns_the_next_away_at_once() {
        let workers = Arc::new(Workers::<u32>::start(1, 1, LONG));
        let release = occupy(&workers).await;
        let waiting = tokio::spawn({
            let workers = Arc::clone(&workers);
            async move { workers.run(|_| 7).await }
        });
        let job = || Job {
            ticket: Arc::default(),
            queued: Instant::now(),
            work: Box::new(|_: &mut u32| ()),
        };
        while workers.jobs.try_send(job()).is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(workers.run(|_| 8).await, Err(Overloaded { retry_after: LONG }));
        drop(release);
        drop(waiting);
    }

    #[tokio::test]
    async fn whoever_waits_for_too_long_is_turned_away_and_not_worked_for() {
        let workers = Arc::new(Workers::<u32>::start(1, 8, Duration::from_millis(20)));
        let release = occupy(&workers).await;
        assert!(workers.run(|scratch| *scratch = 99).await.is_err());
        drop(release);
        let scratch = loop {
            if let Ok(scratch) = workers.run(|scratch| *scratch).await {
                break scratch;
            }
        };
        assert_eq!(scratch, 0);
    }

    #[tokio::test]
    async fn what_waits_is_counted_and_so_is_whoever_waited_for_too_long() {
        let workers = Arc::new(Workers::<u32>::start(1, 8, Duration::from_millis(20)));
        let release = occupy(&workers).await;
        assert_eq!(workers.metrics.depth.get(), 0, "what is worked on does not wait");
        assert!(workers.run(|_| ()).await.is_err());
        assert_eq!(workers.metrics.depth.get(), 1, "it is given up and still in the queue");
        drop(release);
        while workers.run(|_| ()).await.is_err() {}
        assert_eq!(workers.metrics.depth.get(), 0);
        let mut registry = Registry::default();
        workers.metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("refusals_total{reason=\"waited_too_long\"}"), "{text}");
        assert!(!text.contains("reason=\"waited_too_long\"} 0"), "{text}");
        assert!(text.contains("reason=\"queue_full\"} 0"), "{text}");
    }

    #[tokio::test]
    async fn whoever_goes_away_is_not_worked_for() {
        let workers = Arc::new(Workers::<u32>::start(1, 8, LONG));
        let release = occupy(&workers).await;
        let gone = workers.run(|scratch| *scratch = 99);
        assert!(tokio::time::timeout(Duration::from_millis(5), gone).await.is_err());
        drop(release);
        assert_eq!(workers.run(|scratch| *scratch).await, Ok(0));
    }

    #[tokio::test]
    async fn a_job_that_panics_costs_nobody_else_the_worker() {
        let workers = Workers::<u32>::start(1, 8, LONG);
        assert!(workers.run(|_| panic!("on purpose")).await.is_err());
        assert_eq!(workers.run(|_| 7).await, Ok(7));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn workers_run_at_a_lower_priority_than_the_threads_that_serve_pages() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let workers = Workers::<u32>::start(1, 8, LONG);
        let own = niceness();
        assert_eq!(workers.run(move |_| niceness()).await, Ok(own.max(10)));
        assert_eq!(niceness(), own);
    }
}
