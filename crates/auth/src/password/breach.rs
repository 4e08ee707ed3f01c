//! Passwords that were stolen elsewhere: a file of their hashes, as Have I Been Pwned gives it out.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

/// A file of stolen passwords: lines `SHA1:COUNT`, sorted by the hash, ended by LF or CRLF.
///
/// It may be larger than the memory: a search reads about 30 short pieces of it. Each search opens it, so
/// that a file put in its place is used at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreachFile {
    path: PathBuf,
}

/// Why a file is not one of stolen passwords, or cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BreachFileError {
    /// The system does not let us read it.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// A line is not a hash and a count. An interrupted download ends in such a line.
    #[error("has no SHA-1 hash and count (HASH:COUNT) in the line at byte {at}")]
    Malformed {
        /// Where in the file.
        at: u64,
    },
    /// A hash comes after a larger one.
    #[error("is not sorted by hash: the line at byte {at} belongs before an earlier one")]
    Unsorted {
        /// Where in the file.
        at: u64,
    },
}

type Hash = [u8; 20];

/// One line of the file.
struct Line {
    hash: Hash,
    start: u64,
    /// Where the next one starts.
    end: u64,
}

/// The longest line is 40 digits, a colon, a count of 20 digits and CRLF: 63 bytes.
const WINDOW: usize = 64;

/// The number of lines that are checked before a file is trusted: enough to notice one that is sorted by
/// something else, few enough for a slow disk.
const SAMPLES: u64 = 256;

impl BreachFile {
    /// Checks that the file at `path` is such a file, by its first line, its last line and some in between.
    /// A small file is checked completely.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is not such a file as far as was looked.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, BreachFileError> {
        let path = path.into();
        // The size is read before the file is opened: to open a pipe would block.
        let size = fs::metadata(&path)?.len();
        let last = size.checked_sub(1).ok_or(BreachFileError::Empty)?;
        let mut file = File::open(&path)?;
        let mut before: Option<Line> = None;
        for sample in 0..=SAMPLES {
            // Not `last * sample`: that may be too large.
            let at = last / SAMPLES * sample + last % SAMPLES * sample / SAMPLES;
            let line = Line::at(&mut file, at)?;
            match &before {
                Some(before) if before.start == line.start => {}
                Some(before) if before.hash >= line.hash => {
                    return Err(BreachFileError::Unsorted { at: line.start });
                }
                _ => before = Some(line),
            }
        }
        Ok(Self { path })
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the file has the hash of `password`. Blocks while the system reads.
    ///
    /// # Errors
    ///
    /// When the file cannot say.
    pub fn contains(&self, password: &[u8]) -> Result<bool, BreachFileError> {
        let wanted = &digest(password);
        let mut file = File::open(&self.path)?;
        let (mut low, mut high) = (0, file.metadata()?.len());
        if high == 0 {
            return Err(BreachFileError::Empty);
        }
        // Both are starts of lines: either the line between them is found, or they come closer.
        while low < high {
            let line = Line::at(&mut file, low + (high - low) / 2)?;
            match wanted.cmp(&line.hash) {
                Ordering::Less => high = line.start,
                Ordering::Equal => return Ok(true),
                Ordering::Greater => low = line.end,
            }
        }
        Ok(false)
    }
}

impl Line {
    /// Reads the line that the byte at `at` belongs to.
    fn at(file: &mut File, at: u64) -> Result<Self, BreachFileError> {
        let back = usize::try_from(at).map_or(WINDOW, |at| at.min(WINDOW));
        let from = at - back as u64;
        let mut window = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take((back + WINDOW) as u64).read_to_end(&mut window)?;
        let newline = window.iter().take(back).rposition(|byte| *byte == b'\n');
        let skip = match newline {
            Some(newline) => newline + 1,
            None if from == 0 => 0,
            None => return Err(BreachFileError::Malformed { at: from }),
        };
        let start = from + skip as u64;
        let (_, line) = window.split_at_checked(skip).unwrap_or_default();
        let text = line.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let hash = read(text).ok_or(BreachFileError::Malformed { at: start })?;
        Ok(Self { hash, start, end: start + text.len() as u64 })
    }
}

fn digest(password: &[u8]) -> Hash {
    Sha1::digest(password).into()
}

/// Returns the hash of a line, if it is one.
fn read(line: &[u8]) -> Option<Hash> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, count) = line.split_at_checked(40)?;
    let count = count.strip_prefix(b":")?;
    if count.is_empty() || count.len() > 20 || !count.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut hash = Hash::default();
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let digit = |place: usize| char::from(*pair.get(place)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::Write;

    use tempfile::TempDir;

    use super::*;

    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            Self(TempDir::new().unwrap())
        }

        fn open(&self, text: impl AsRef<[u8]>) -> Result<BreachFile, BreachFileError> {
            let path = self.0.path().join("breached.txt");
            fs::write(&path, text).unwrap();
            BreachFile::open(path)
        }

        fn refused(&self, text: impl AsRef<[u8]>) -> String {
            self.open(text).unwrap_err().to_string()
        }
    }

    /// The lines of a file that has `passwords`.
    fn lines(passwords: impl IntoIterator<Item = String>) -> Vec<String> {
        let hex = |password: String| {
            digest(password.as_bytes()).iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02X}").unwrap();
                text
            })
        };
        let mut lines: Vec<_> = passwords.into_iter().map(hex).collect();
        lines.sort();
        lines.iter_mut().zip(1_u64..).for_each(|(line, n)| write!(line, ":{}", n * n * n).unwrap());
        lines
    }

    fn numbered(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(|n| format!("password {n}"))
    }

    #[test]
    fn a_hash_of_the_real_file_is_found() {
        // `printf password | sha1sum`
        let line = "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:52256179";
        for text in [format!("{line}\r\n"), format!("{line}\n"), line.to_owned()] {
            for text in [text.to_lowercase(), text] {
                let folder = Folder::new();
                let file = folder.open(&text).unwrap();
                assert!(file.contains(b"password").unwrap(), "{text:?}");
                assert!(!file.contains(b"Password").unwrap(), "{text:?}");
            }
        }
    }

    #[test]
    fn every_line_is_found_and_nothing_else_in_files_of_every_small_size() {
        let folder = Folder::new();
        for count in 1..40 {
            for (end, last) in [("\n", true), ("\n", false), ("\r\n", true), ("\r\n", false)] {
                let mut text = lines(numbered(count)).join(end);
                text += if last { end } else { "" };
                let file = folder.open(&text).unwrap();
                for password in numbered(count) {
                    assert!(file.contains(password.as_bytes()).unwrap(), "{password} in {text}");
                }
                for other in ["", "other", "password", "password 40"] {
                    assert!(!file.contains(other.as_bytes()).unwrap(), "{other} in {text}");
                }
            }
        }
    }

    /// Against a set, with files and questions drawn by a generator that is always the same.
    #[test]
    fn a_file_answers_like_a_set() {
        let folder = Folder::new();
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..60 {
            let held: HashSet<_> = (0..=draw(3_000)).map(|_| draw(5_000).to_string()).collect();
            let file = folder.open(lines(held.iter().cloned()).join("\r\n")).unwrap();
            for _ in 0..200 {
                let asked = draw(5_000).to_string();
                assert_eq!(file.contains(asked.as_bytes()).unwrap(), held.contains(&asked));
            }
        }
    }

    #[test]
    fn what_is_no_such_file_is_refused_with_the_reason() {
        let folder = Folder::new();
        let sorted = lines(numbered(100));
        let text = sorted.join("\n");
        assert_eq!(folder.refused(""), "is empty");
        let malformed = "has no SHA-1 hash and count (HASH:COUNT) in the line at byte ";
        let prefixes = sorted.iter().map(|line| line.split_at(5).1).collect::<Vec<_>>().join("\n");
        let ntlm = sorted.iter().map(|line| line.split_at(8).1).collect::<Vec<_>>().join("\n");
        let bare = sorted.iter().map(|line| line.split_at(40).0).collect::<Vec<_>>().join("\n");
        let binary: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(n) >> 5) as u8).collect();
        for bad in [&prefixes, &ntlm, &bare, "password\n", "\n", &format!("{text}\n\n")] {
            let error = folder.refused(bad);
            assert!(error.starts_with(malformed), "{error}");
        }
        assert!(folder.refused(&binary).starts_with(malformed));
        assert!(folder.refused(vec![b'0'; 100_000]).starts_with(malformed));
        let cut = text.rfind('\n').unwrap();
        for length in [1, 30, 40, 41] {
            let error = folder.refused(text.split_at(cut + 1 + length).0);
            assert_eq!(error, format!("{malformed}{}", cut + 1));
        }
        let missing = BreachFile::open("no such file").unwrap_err().to_string();
        assert!(missing.starts_with("cannot be read: No such file"), "{missing}");
        assert!(BreachFile::open(folder.0.path()).is_err(), "a folder");
    }

    #[test]
    fn a_file_that_is_not_sorted_by_hash_is_refused() {
        let folder = Folder::new();
        for count in [2, 3, 100, 20_000] {
            let mut unsorted = lines(numbered(count));
            unsorted.rotate_left(count / 2);
            let error = folder.refused(unsorted.join("\n"));
            assert!(error.starts_with("is not sorted by hash: the line at byte "), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_gone_or_damaged_later_is_no_answer() {
        let folder = Folder::new();
        let file = folder.open(lines(numbered(100)).join("\n")).unwrap();
        fs::write(file.path(), "garbage").unwrap();
        assert!(matches!(file.contains(b"any"), Err(BreachFileError::Malformed { at: 0 })));
        fs::write(file.path(), "").unwrap();
        assert!(matches!(file.contains(b"any"), Err(BreachFileError::Empty)));
        fs::remove_file(file.path()).unwrap();
        assert!(matches!(file.contains(b"any"), Err(BreachFileError::Unreadable(_))));
    }
}
