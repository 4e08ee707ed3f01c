use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::queue::{Full, Place, Queue};
use crate::metrics::{JobRefused, QueueMetrics};

/// The hashing workers have more to do than they can do in time. The same call may work a little later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hashing workers are overloaded")]
pub struct Overloaded {
    /// When to try again.
    pub retry_after: Duration,
}

/// Threads that do long work, each with a scratch space `S` of its own that it keeps.
///
/// Async threads only wait for them. The workers run at a lower priority, so that pages stay fast while
/// passwords are hashed. The queue before them is bounded and serves addresses in turn. A caller who has
/// waited for too long or has gone away leaves the queue at once, and no worker does the job.
pub(crate) struct Workers<S> {
    shared: Arc<Shared<S>>,
    max_wait: Duration,
}

/// What callers and workers share.
struct Shared<S> {
    /// Held for moments, and never while anybody waits.
    waiting: Mutex<Waiting<S>>,
    changed: Condvar,
    metrics: QueueMetrics,
}

struct Waiting<S> {
    queue: Queue<Job<S>>,
    /// The service is gone: no job will follow.
    is_over: bool,
}

struct Job<S> {
    queued: Instant,
    /// When it is dropped without being called, its caller learns that no answer will come.
    work: Box<dyn FnOnce(&mut S) + Send>,
}

/// A caller who waits for a job. Dropped meanwhile, they leave the queue.
struct Waiter<'w, S> {
    shared: &'w Shared<S>,
    place: Place,
}

impl<S> Waiter<'_, S> {
    /// Takes the job out of the queue. False when a worker has begun it.
    fn give_up(&self) -> bool {
        self.shared.change(|queue| queue.remove(self.place)).is_some()
    }
}

impl<S> Drop for Waiter<'_, S> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl<S: Default + 'static> Workers<S> {
    /// Starts `count` threads. At most `queue` jobs wait for them, each for at most `max_wait`.
    pub(crate) fn start(count: usize, queue: usize, max_wait: Duration) -> Self {
        let shared = Arc::new(Shared {
            waiting: Mutex::new(Waiting { queue: Queue::new(queue), is_over: false }),
            changed: Condvar::new(),
            metrics: QueueMetrics::new(queue),
        });
        for _ in 0..count {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name("countersign-hash".to_owned());
            // With fewer threads work takes longer; with none, every call ends with `Overloaded`.
            if let Err(error) = thread.spawn(move || shared.work_off()) {
                tracing::error!(%error, "a hashing worker could not be started");
            }
        }
        Self { shared, max_wait }
    }

    pub(crate) fn metrics(&self) -> &QueueMetrics {
        &self.shared.metrics
    }

    /// Runs `work` on a worker for a caller at `address`, when it is their turn.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        address: Option<IpAddr>,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let overloaded = Overloaded { retry_after: self.max_wait.max(Duration::from_secs(1)) };
        let (reply, mut answer) = oneshot::channel();
        let duration = self.metrics().duration.clone();
        let work = move |scratch: &mut S| {
            let begun = Instant::now();
            let done = work(scratch);
            // Before the answer, so that a caller who has it finds the work counted.
            duration.observe(begun.elapsed().as_secs_f64());
            let _caller_has_gone = reply.send(done);
        };
        let place = self.shared.queue(address, work).map_err(|Full| overloaded)?;
        let waiter = Waiter { shared: &self.shared, place };
        let done = match tokio::time::timeout(self.max_wait, &mut answer).await {
            Ok(done) => done,
            Err(_) if waiter.give_up() => {
                self.metrics().refused(JobRefused::WaitedTooLong);
                return Err(overloaded);
            }
            Err(_) => answer.await, // a worker has begun it
        };
        done.map_err(|_| overloaded)
    }

    /// Keeps `count` workers busy. Returns when they are.
    #[cfg(feature = "testing")]
    pub(crate) async fn occupy(&self, count: usize) -> BusyWorkers {
        let mut busy = BusyWorkers(Vec::new());
        for _ in 0..count {
            let (release, until) = std::sync::mpsc::channel();
            let (started, is_started) = oneshot::channel();
            let work = move |_: &mut S| {
                let _ = started.send(());
                let _ = until.recv();
            };
            if self.shared.queue(None, work).is_ok() && is_started.await.is_ok() {
                busy.0.push(release);
            }
        }
        busy
    }
}

/// Hashing workers that are kept busy until this is dropped, for tests.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub struct BusyWorkers(Vec<std::sync::mpsc::Sender<()>>);

impl<S> Drop for Workers<S> {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}

impl<S> Shared<S> {
    fn lock(&self) -> MutexGuard<'_, Waiting<S>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the queue, and notes its new length in the metrics.
    fn change<T>(&self, change: impl FnOnce(&mut Queue<Job<S>>) -> T) -> T {
        self.change_in(&mut self.lock(), change)
    }

    fn change_in<T>(
        &self,
        waiting: &mut Waiting<S>,
        change: impl FnOnce(&mut Queue<Job<S>>) -> T,
    ) -> T {
        let done = change(&mut waiting.queue);
        self.metrics.depth.set(i64::try_from(waiting.queue.len()).unwrap_or(i64::MAX));
        done
    }

    fn queue(
        &self,
        address: Option<IpAddr>,
        work: impl FnOnce(&mut S) + Send + 'static,
    ) -> Result<Place, Full> {
        let job = Job { queued: Instant::now(), work: Box::new(work) };
        let queued = self.change(|queue| queue.push(address.into(), job));
        // Either this job or, dropped here, the one that made room for it.
        if !matches!(queued, Ok((_, None))) {
            self.metrics.refused(JobRefused::QueueFull);
        }
        let (place, _turned_away) = queued?;
        self.changed.notify_one();
        Ok(place)
    }

    /// Waits for the job whose turn it is; `None` when no job will follow.
    fn next(&self) -> Option<Job<S>> {
        let mut waiting = self.lock();
        loop {
            if waiting.is_over {
                return None;
            }
            if let Some(job) = self.change_in(&mut waiting, Queue::pop) {
                return Some(job);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<S: Default> Shared<S> {
    fn work_off(&self) {
        lower_priority();
        let mut scratch = S::default();
        while let Some(job) = self.next() {
            self.metrics.wait.observe(job.queued.elapsed().as_secs_f64());
            // A job that panics costs its caller the answer, not everybody a worker.
            if catch_unwind(AssertUnwindSafe(|| (job.work)(&mut scratch))).is_err() {
                tracing::error!("a hashing job panicked");
                scratch = S::default();
            }
        }
    }
}

/// Lowers the priority of this thread. On Linux niceness belongs to a thread; elsewhere it would slow the
/// whole process.
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
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use tokio::task::JoinHandle;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7)));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 9)));

    /// Somebody who waits for `work`, once they do.
    async fn waiting<T: Send + 'static>(
        workers: &Arc<Workers<u32>>,
        address: Option<IpAddr>,
        work: impl FnOnce(&mut u32) -> T + Send + 'static,
    ) -> JoinHandle<Result<T, Overloaded>> {
        let (before, own) = (workers.shared.lock().queue.len(), Arc::clone(workers));
        let waits = tokio::spawn(async move { own.run(address, work).await });
        while workers.shared.lock().queue.len() == before {
            tokio::task::yield_now().await;
        }
        waits
    }

    fn counted(workers: &Workers<u32>) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        workers.metrics().register(&mut registry);
        encode(&mut text, &registry).unwrap();
        text
    }

    #[tokio::test]
    async fn work_is_done_on_another_thread_with_the_workers_own_scratch() {
        let workers = Workers::<u32>::start(1, 8, LONG);
        let count = |scratch: &mut u32| {
            *scratch += 1;
            (*scratch, std::thread::current().id())
        };
        let (first, thread) = workers.run(HERE, count).await.unwrap();
        let (second, same_thread) = workers.run(THERE, count).await.unwrap();
        assert_eq!((first, second), (1, 2));
        assert_eq!(thread, same_thread);
        assert_ne!(thread, std::thread::current().id());
    }

    #[tokio::test]
    async fn a_full_queue_turns_the_next_away_at_once() {
        let workers = Arc::new(Workers::<u32>::start(1, 1, LONG));
        let busy = workers.occupy(1).await;
        let first = waiting(&workers, HERE, |_| 7).await;
        assert_eq!(workers.run(HERE, |_| 8).await, Err(Overloaded { retry_after: LONG }));
        assert_eq!(workers.run(THERE, |_| 9).await, Err(Overloaded { retry_after: LONG }));
        drop(busy);
        assert_eq!(first.await.unwrap(), Ok(7));
        assert!(counted(&workers).contains("reason=\"queue_full\"} 2"));
    }

    #[tokio::test]
    async fn in_a_full_queue_the_newest_of_whoever_has_most_makes_room_for_another() {
        let workers = Arc::new(Workers::<u32>::start(1, 2, LONG));
        let busy = workers.occupy(1).await;
        let (first, second) =
            (waiting(&workers, HERE, |_| 1).await, waiting(&workers, HERE, |_| 2).await);
        let own = Arc::clone(&workers);
        let other = tokio::spawn(async move { own.run(THERE, |_| 3).await });
        assert_eq!(second.await.unwrap(), Err(Overloaded { retry_after: LONG }));
        assert_eq!(workers.metrics().depth.get(), 2);
        assert!(counted(&workers).contains("reason=\"queue_full\"} 1"));
        drop(busy);
        assert_eq!((first.await.unwrap(), other.await.unwrap()), (Ok(1), Ok(3)));
    }

    #[tokio::test]
    async fn addresses_are_served_in_turn() {
        let workers = Arc::new(Workers::<u32>::start(1, 8, LONG));
        let busy = workers.occupy(1).await;
        let mut waits = Vec::new();
        for (address, letter) in [(HERE, 'a'), (HERE, 'b'), (HERE, 'c'), (THERE, 'd')] {
            let work = move |served: &mut u32| {
                *served += 1;
                (*served, letter)
            };
            waits.push(waiting(&workers, address, work).await);
        }
        drop(busy);
        let mut served = Vec::new();
        for wait in waits {
            served.push(wait.await.unwrap().unwrap());
        }
        served.sort_unstable();
        assert_eq!(served, [(1, 'a'), (2, 'd'), (3, 'b'), (4, 'c')]);
    }

    #[tokio::test]
    async fn whoever_waits_for_too_long_is_turned_away_and_leaves_the_queue_at_once() {
        let workers = Workers::<u32>::start(1, 8, Duration::from_millis(20));
        let busy = workers.occupy(1).await;
        assert_eq!(workers.metrics().depth.get(), 0, "what is worked on does not wait");
        assert!(workers.run(HERE, |scratch| *scratch = 99).await.is_err());
        assert_eq!(workers.metrics().depth.get(), 0);
        let text = counted(&workers);
        assert!(text.contains("refusals_total{reason=\"waited_too_long\"} 1"), "{text}");
        assert!(text.contains("reason=\"queue_full\"} 0"), "{text}");
        drop(busy);
        let scratch = loop {
            if let Ok(scratch) = workers.run(HERE, |scratch| *scratch).await {
                break scratch;
            }
        };
        assert_eq!(scratch, 0, "nobody has worked for whoever had gone");
    }

    #[tokio::test]
    async fn whoever_goes_away_leaves_the_queue_at_once_and_is_not_worked_for() {
        let workers = Arc::new(Workers::<u32>::start(1, 1, LONG));
        let busy = workers.occupy(1).await;
        let gone = workers.run(HERE, |scratch| *scratch = 99);
        assert!(tokio::time::timeout(Duration::from_millis(5), gone).await.is_err());
        assert_eq!(workers.metrics().depth.get(), 0);
        let next = waiting(&workers, HERE, |_| 7).await;
        assert_eq!(workers.metrics().depth.get(), 1);
        drop(busy);
        assert_eq!(next.await.unwrap(), Ok(7));
        assert_eq!(workers.run(HERE, |scratch| *scratch).await, Ok(0));
    }

    #[tokio::test]
    async fn a_job_that_panics_costs_nobody_else_the_worker() {
        let workers = Workers::<u32>::start(1, 8, LONG);
        assert!(workers.run(HERE, |_| panic!("on purpose")).await.is_err());
        assert_eq!(workers.run(HERE, |_| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn workers_end_with_their_service() {
        let workers = Workers::<Option<oneshot::Sender<()>>>::start(1, 8, LONG);
        let (ended, has_ended) = oneshot::channel();
        workers.run(HERE, move |scratch| *scratch = Some(ended)).await.unwrap();
        drop(workers);
        assert!(has_ended.await.is_err(), "the worker has dropped what it kept");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn workers_run_at_a_lower_priority_than_the_threads_that_serve_pages() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let workers = Workers::<u32>::start(1, 8, LONG);
        let own = niceness();
        assert_eq!(workers.run(HERE, move |_| niceness()).await, Ok(own.max(10)));
        assert_eq!(niceness(), own);
    }
}
