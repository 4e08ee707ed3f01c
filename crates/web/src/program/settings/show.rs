use serde_json::{Value, json};

use crate::program::failure::Failure;
use crate::program::output;

/// Prints the effective values as TOML that could be written into a file, or as JSON.
pub(crate) fn show(profile: &str, rocket: &Value, own: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&json!({ "rocket": rocket, "countersign": own }));
    }
    output::say(&format!("[{profile}]"))?;
    lines("", rocket).iter().try_for_each(|line| output::say(line))?;
    output::say(&format!("\n[{profile}.countersign]"))?;
    lines("", own).iter().try_for_each(|line| output::say(line))
}

/// Returns every value below `value`, as `key = value` with dots between levels.
pub(crate) fn lines(prefix: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                lines(&key, value)
            })
            .collect(),
        Value::Null => Vec::new(),
        value => vec![format!("{prefix} = {value}")],
    }
}
