//! Searches messages.

use super::{enter::enter, history::page_limit};
use crate::{
    app::App,
    auth::Identity,
    error::{Error, Result},
    model::User,
    protocol::{FoundMessages, SearchMessages},
    store::{Found, Reader, Search},
};

/// The newest messages with all words of a text that `who` may read. If `who` is `None`, every message may be read.
/// `forbidden` if nothing is searched, or if the room may not be entered.
pub async fn search(app: &App, who: Option<&Identity>, search: SearchMessages) -> Result<FoundMessages> {
    if app.config.search.fields.is_empty() {
        return Err(Error::Forbidden("this server searches no messages (search.fields)".to_owned()));
    }
    let limit = page_limit(search.limit)?;
    let reader = who.map(|who| {
        let (access, user) = (who.access.clone(), who.user.id.clone());
        Reader { user: user.clone(), may_read: Box::new(move |room| access.allows(&user, room)) }
    });
    let room = match (search.room, who) {
        (None, _) => None,
        (Some(room), Some(who)) => Some(enter(who, room)?),
        (Some(room), None) => Some(room.seen_by(&User::system().id)),
    };
    let mut wanted = Search::new(&search.text, limit, reader)?;
    (wanted.room, wanted.from, wanted.before) = (room, search.from, search.before);
    let Found { messages, next } = app.store().search(wanted).await?;
    Ok(FoundMessages { messages, next })
}
