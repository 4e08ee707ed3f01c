//! What the program prints.

use std::io::{ErrorKind, Write, stderr, stdout};

use super::failure::Failure;

/// Writes a line to standard output. A reader that has closed its end is no failure.
pub(crate) fn say(line: &str) -> Result<(), Failure> {
    let written = writeln!(stdout(), "{line}").and_then(|()| stdout().flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new(error)),
        _ => Ok(()),
    }
}

/// Writes a line to standard error.
pub(crate) fn complain(line: &str) {
    // There is nowhere left to report that this failed.
    let _ = writeln!(stderr(), "error: {line}");
}

/// Writes a note about something that worked to standard error.
pub(crate) fn note(line: &str) {
    // There is nowhere left to report that this failed.
    let _ = writeln!(stderr(), "note: {line}");
}

/// Writes a table whose columns are as wide as their widest cells.
pub(crate) fn table<const N: usize>(
    heading: [&str; N],
    rows: &[[String; N]],
) -> Result<(), Failure> {
    let heading = heading.map(str::to_owned);
    let all: Vec<&[String; N]> = [&heading].into_iter().chain(rows).collect();
    let widths: Vec<usize> = (0..N)
        .map(|column| {
            let cells = all.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    for row in all {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        say(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Writes a value as JSON.
pub(crate) fn json(value: &serde_json::Value) -> Result<(), Failure> {
    say(&serde_json::to_string_pretty(value).map_err(Failure::new)?)
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
