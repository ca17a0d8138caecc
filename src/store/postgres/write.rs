//! What PostgreSQL's writing thread does. It has a runtime of its own, which waits for the database.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::group::GroupWriter;
use crate::store::{inbox::NextGroup, writer::WritingThread};

/// How often the thread checks its connection while it is idle.
const CONNECTION_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Takes the queued commands, writes each group in one transaction, and hands it to the publisher.
pub(super) fn write(runtime: &Runtime, mut writer: GroupWriter<'_>, thread: &WritingThread) -> Result<(), String> {
    loop {
        let group = match thread.next_group(CONNECTION_CHECK_INTERVAL) {
            NextGroup::Tasks(group) => group,
            NextGroup::Timeout => {
                runtime.block_on(writer.keep_connected());
                continue;
            }
            NextGroup::Closed => return Ok(()),
        };
        thread.write(group, |group| runtime.block_on(writer.write(group)))?;
    }
}
