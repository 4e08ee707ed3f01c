use std::io::{IsTerminal, Write, stderr};

use countersign_persistence::{ExportProgress, ExportStep};

/// The progress of an export on standard error: a bar on a terminal, else a line for each table.
#[derive(Debug)]
pub(super) struct Bar {
    is_terminal: bool,
}

/// Bar width in characters.
const WIDTH: u64 = 20;

impl Bar {
    pub(super) fn new() -> Self {
        Self { is_terminal: stderr().is_terminal() }
    }

    pub(super) fn show(&self, progress: ExportProgress) {
        let text = match (self.is_terminal, progress.rows == progress.of) {
            // Moves the cursor to the start of the line and erases the line.
            (true, _) => format!("\r\x1b[K{}", drawn(progress)),
            (false, true) => format!("{}\n", told(progress)),
            (false, false) => return,
        };
        // Whoever closed standard error does not want to see it.
        let _ = stderr().write_all(text.as_bytes()).and_then(|()| stderr().flush());
    }
}

impl Drop for Bar {
    /// Erases the bar, so that the next output begins on an empty line.
    fn drop(&mut self) {
        if self.is_terminal {
            let _ = stderr().write_all(b"\r\x1b[K");
        }
    }
}

fn drawn(progress: ExportProgress) -> String {
    let ExportProgress { step, table, rows, of } = progress;
    let doing = match step {
        ExportStep::Resume => "comparing",
        ExportStep::Copy => "copying",
        ExportStep::Verify => "verifying",
    };
    let part = |whole: u64| rows.min(of).saturating_mul(whole).checked_div(of).unwrap_or(whole);
    let (filled, percent) = (usize::try_from(part(WIDTH)).unwrap_or_default(), part(100));
    let bar = format!("{:-<width$}", "#".repeat(filled), width = WIDTH as usize);
    format!("{doing:9} {table:17} [{bar}] {percent:3} % {rows}/{of}")
}

fn told(progress: ExportProgress) -> String {
    let ExportProgress { step, table, rows, .. } = progress;
    let done = match step {
        ExportStep::Resume => "found",
        ExportStep::Copy => "copied",
        ExportStep::Verify => "verified",
    };
    format!("{done} {table}: {rows} rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_and_fits_a_terminal() {
        let at = |rows, of| ExportProgress {
            step: ExportStep::Copy,
            table: "remembered_logins",
            rows,
            of,
        };
        assert_eq!(
            drawn(at(50, 200)),
            "copying   remembered_logins [#####---------------]  25 % 50/200"
        );
        assert!(drawn(at(0, 0)).contains("[####################] 100 % 0/0"));
        assert!(drawn(at(9, 5)).contains("[####################] 100 %"));
        assert!(drawn(at(9_999_999, 10_000_000)).len() < 80);
        assert_eq!(told(at(7, 7)), "copied remembered_logins: 7 rows");
    }
}
