use std::collections::BTreeMap;
use std::net::IpAddr;

use countersign_domain::network;

/// The place that takes a turn: an IPv4 address, or the /64 of an IPv6 address, which has one owner. All
/// callers without an address are one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin(Option<IpAddr>);

impl From<Option<IpAddr>> for Origin {
    fn from(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            v6 @ IpAddr::V6(_) => network(v6),
        }))
    }
}

/// A bounded queue that serves origins in turn, and the jobs of one origin in the order in which they came.
/// An origin that sends many jobs waits behind its own.
pub(super) struct Queue<J> {
    limit: usize,
    len: usize,
    /// Counts jobs and turns: a higher number comes later.
    counted: u64,
    lines: BTreeMap<Origin, Line<J>>,
    /// The origins that have a line, by their turn.
    turns: BTreeMap<u64, Origin>,
}

/// The jobs of one origin; never empty.
struct Line<J> {
    turn: u64,
    jobs: BTreeMap<u64, J>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    origin: Origin,
    number: u64,
}

/// The queue has no room, and no job that may be turned away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<J> Queue<J> {
    /// Returns a queue in which at most `limit` jobs wait.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, len: 0, counted: 0, lines: BTreeMap::new(), turns: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts a job last in its line. In a full queue it takes the room of another job, which is returned:
    /// the newest of the longest line, if that line stays the longest.
    pub(super) fn push(&mut self, origin: Origin, job: J) -> Result<(Place, Option<J>), Full> {
        let turned_away = match self.len < self.limit {
            true => None,
            false => Some(self.make_room(origin).ok_or(Full)?),
        };
        let (number, turn) = (self.count(), self.count());
        let line = self.lines.entry(origin).or_insert_with(|| {
            self.turns.insert(turn, origin);
            Line { turn, jobs: BTreeMap::new() }
        });
        line.jobs.insert(number, job);
        self.len += 1;
        Ok((Place { origin, number }, turned_away))
    }

    /// Takes the first job of the origin whose turn it is. The origin then comes last.
    pub(super) fn pop(&mut self) -> Option<J> {
        let (_, origin) = self.turns.first_key_value()?;
        let (origin, turn) = (*origin, self.count());
        let number = *self.lines.get(&origin)?.jobs.first_key_value()?.0;
        let job = self.remove(Place { origin, number });
        if let Some(line) = self.lines.get_mut(&origin) {
            self.turns.remove(&line.turn);
            line.turn = turn;
            self.turns.insert(turn, origin);
        }
        job
    }

    /// Takes out the job at `place`, if it is still there.
    pub(super) fn remove(&mut self, place: Place) -> Option<J> {
        let line = self.lines.get_mut(&place.origin)?;
        let job = line.jobs.remove(&place.number)?;
        if line.jobs.is_empty() {
            self.turns.remove(&line.turn);
            self.lines.remove(&place.origin);
        }
        self.len -= 1;
        Some(job)
    }

    /// Turns away a job whose line is longer than that of `newcomer` will be. Where all lines are alike
    /// none is turned away: jobs that have waited must not make room for an endless row of newcomers.
    fn make_room(&mut self, newcomer: Origin) -> Option<J> {
        let own = self.lines.get(&newcomer).map_or(0, |line| line.jobs.len()) + 1;
        let newest = |line: &Line<J>| line.jobs.last_key_value().map_or(0, |(number, _)| *number);
        let lines =
            self.lines.iter().map(|(origin, line)| (line.jobs.len(), newest(line), *origin));
        let (longest, number, origin) = lines.max()?;
        if longest <= own { None } else { self.remove(Place { origin, number }) }
    }

    fn count(&mut self) -> u64 {
        self.counted += 1;
        self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str) -> Origin {
        Some(address.parse().unwrap()).into()
    }

    /// A queue with room for `limit`, in which each word of `jobs` waits: `a1` is of origin `a`.
    fn queue(limit: usize, jobs: &str) -> Queue<String> {
        let mut queue = Queue::new(limit);
        for job in jobs.split(' ') {
            assert_eq!(push(&mut queue, job), Ok(None));
        }
        queue
    }

    fn push(queue: &mut Queue<String>, job: &str) -> Result<Option<String>, Full> {
        let last = u8::try_from(job.chars().next().unwrap()).unwrap();
        let origin = Some(IpAddr::from([203, 0, 113, last])).into();
        queue.push(origin, job.to_owned()).map(|(_, turned_away)| turned_away)
    }

    fn served(mut queue: Queue<String>) -> String {
        let jobs: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!((queue.len(), queue.lines.len(), queue.turns.len()), (0, 0, 0));
        jobs.join(" ")
    }

    #[test]
    fn origins_are_served_in_turn_and_each_in_its_own_order() {
        assert_eq!(served(queue(9, "a1 a2 a3 a4 b1 c1 b2")), "a1 b1 c1 a2 b2 a3 a4");
    }

    #[test]
    fn whoever_was_served_is_behind_those_who_come_before_their_next_turn() {
        let mut queue = queue(9, "a1 a2 a3");
        assert_eq!(queue.pop().as_deref(), Some("a1"));
        push(&mut queue, "b1").unwrap();
        assert_eq!(queue.pop().as_deref(), Some("a2"));
        push(&mut queue, "b2").unwrap();
        assert_eq!(served(queue), "b1 a3 b2");
    }

    #[test]
    fn in_a_full_queue_the_newest_of_the_longest_line_makes_room() {
        let mut queue = queue(5, "a1 a2 a3 b1 b2");
        assert_eq!(push(&mut queue, "c1"), Ok(Some("a3".to_owned())));
        assert_eq!(queue.len(), 5);
        assert_eq!(served(queue), "a1 b1 c1 a2 b2");
    }

    #[test]
    fn the_longest_line_makes_no_room_for_itself_and_none_for_one_that_would_be_as_long() {
        let mut queue = queue(5, "a1 a2 a3 b1 b2");
        assert_eq!(push(&mut queue, "a4"), Err(Full));
        assert_eq!(push(&mut queue, "b3"), Err(Full));
        assert_eq!(served(queue), "a1 b1 a2 b2 a3");
    }

    #[test]
    fn whoever_waits_alone_is_turned_away_for_nobody() {
        let mut queue = queue(3, "a1 b1 c1");
        assert_eq!(push(&mut queue, "d1"), Err(Full));
        assert_eq!(served(queue), "a1 b1 c1");
    }

    #[test]
    fn a_job_that_is_taken_out_leaves_its_room_to_the_next() {
        let mut queue = queue(3, "a1 b1");
        let (place, _) = queue.push(origin("198.51.100.1"), "gone".to_owned()).unwrap();
        assert_eq!(push(&mut queue, "c1"), Err(Full));
        assert_eq!(queue.remove(place).as_deref(), Some("gone"));
        assert_eq!(queue.remove(place), None);
        assert_eq!(push(&mut queue, "c1"), Ok(None));
        assert_eq!(served(queue), "a1 b1 c1");
    }

    #[test]
    fn a_job_that_was_served_cannot_be_taken_out() {
        let mut queue = Queue::new(3);
        let (place, _) = queue.push(origin("198.51.100.1"), 1).unwrap();
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.remove(place), None);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn an_origin_is_an_address_of_ipv4_or_a_network_of_ipv6_however_they_are_written() {
        assert_ne!(origin("203.0.113.7"), origin("203.0.113.8"));
        assert_eq!(origin("203.0.113.7"), origin("::ffff:203.0.113.7"));
        assert_eq!(origin("2001:db8:1:2::3"), origin("2001:db8:1:2:ffff::4"));
        assert_ne!(origin("2001:db8:1:2::3"), origin("2001:db8:1:3::3"));
        assert_ne!(Origin::from(None), origin("203.0.113.7"));
    }
}
