//! Authenticates credentials, in the same way for Socket.IO, plain WebSocket and the HTTP API.

mod access;
mod api_keys;
mod jwt;
mod saved;

use std::sync::{
    Arc, Once,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use uuid::Uuid;

pub use access::Access;
pub use api_keys::{Key, Keys, is_key, new_key};
pub(crate) use jwt::{LEEWAY, Verifier};
pub use jwt::{NewToken, issue};

use crate::{
    config::{AuthMode, Config, ConfigError, Secret},
    error::{Error, Result},
    model::{Timestamp, User, UserId},
};

/// Prefix of guests' ids.
const GUEST: &str = "guest-";

/// Texts that front-ends send as id or name when they have none. Such clients are guests.
const MISSING: [&str; 2] = ["undefined", "null"];

/// The credentials of a client, not checked yet.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// A JWT.
    pub token: Option<Secret>,
    /// Open mode: the user's id, which is not verified.
    pub user_id: Option<String>,
    /// Open mode: the user's name.
    pub name: Option<String>,
}

/// An authenticated user, and what they may do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Identity {
    /// The user.
    pub user: User,
    /// Whether this is a guest: a new user for each connection, without presence and without stored memberships.
    pub is_guest: bool,
    /// The rooms that the user may enter.
    pub(crate) access: Access,
    /// When the token expires (`exp`), or the application's session. `None` where there is no end.
    pub expires_at: Option<Timestamp>,
    /// Whether the application has chosen the user, and not the server's own check of credentials.
    pub(crate) is_of_application: bool,
}

/// An identity of one's own, for [`Server::authenticate`](crate::Server::authenticate).
impl Identity {
    /// The identity of a user who may enter every room, and which never expires.
    pub fn new(user: User) -> Self {
        Self::trusted(user)
    }

    /// Allows only the rooms that match one of these patterns, those of `rooms.lobby` and `rooms.open`, and the user's
    /// direct messages. In a pattern `*` stands for any text and `?` for one character.
    #[must_use]
    pub fn with_rooms<P: AsRef<str>>(self, patterns: impl IntoIterator<Item = P>) -> Self {
        Self { access: Access::of_patterns(patterns), ..self }
    }

    /// Lets the identity expire: events are refused then, and soon afterwards the socket is disconnected, unless
    /// [`Ctx::renew`](crate::Ctx::renew) has given it a new one.
    #[must_use]
    pub fn with_expiry(self, at: Timestamp) -> Self {
        Self { expires_at: Some(at), ..self }
    }
}

impl From<User> for Identity {
    fn from(user: User) -> Self {
        Self::new(user)
    }
}

impl Identity {
    /// The identity of a backend that acts as this user; it may do everything.
    pub(crate) fn trusted(user: User) -> Self {
        Self { user, is_guest: false, access: Access::to_everything(), expires_at: None, is_of_application: false }
    }

    /// Whether the token has expired and the leeway after it has passed. Events are then refused.
    pub fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|end| end.as_millis() + LEEWAY.as_millis() as u64 <= Timestamp::now().as_millis())
    }
}

impl Credentials {
    /// From a token, with or without the scheme `Bearer`.
    pub fn with_token(token: &str) -> Self {
        Self { token: bearer_token(token), ..Self::default() }
    }
}

/// The token without the scheme `Bearer`; `None` if nothing is left.
pub fn bearer_token(text: &str) -> Option<Secret> {
    Some(jwt::without_scheme(text)).filter(|token| !token.is_empty()).map(Secret::new)
}

/// Authenticates credentials.
pub struct Auth {
    mode: Mode,
    access: Access,
    /// `rooms.lobby` and `rooms.open`, which identities of the application may enter in every mode.
    open_rooms: Access,
    guests: AtomicU64,
    /// Logs the first client with one of [`MISSING`].
    missing_logged: Once,
}

enum Mode {
    Open,
    /// Keys and rules of tokens; they may change while the server runs.
    Jwt(ArcSwap<Verifier>),
}

impl Auth {
    /// Reads the key files, if any are named.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let open_rooms = Access::new(&config.rooms.lobby, &config.rooms.open);
        let (mode, access) = match config.auth.mode {
            AuthMode::Open => (Mode::Open, Access::to_everything()),
            AuthMode::Jwt => (Mode::Jwt(ArcSwap::from_pointee(Verifier::new(&config.auth)?)), open_rooms.clone()),
        };
        Ok(Self { mode, access, open_rooms, guests: AtomicU64::new(0), missing_logged: Once::new() })
    }

    /// Reads the keys and rules of tokens, for [`Auth::replace`]. `None` in open mode.
    pub(crate) fn read(&self, config: &Config) -> Result<Option<Verifier>, ConfigError> {
        match self.mode {
            Mode::Open => Ok(None),
            Mode::Jwt(_) => Verifier::new(&config.auth).map(Some),
        }
    }

    /// Replaces the keys and rules. Returns the settings whose key files have changed.
    pub(crate) fn replace(&self, new: Option<Verifier>) -> Vec<String> {
        let (Mode::Jwt(verifier), Some(new)) = (&self.mode, new) else { return Vec::new() };
        let new = Arc::new(new);
        let old = verifier.swap(new.clone());
        new.changed_files(&old)
    }

    /// Authenticates a client. Errors: `unauthorized` for an invalid or missing token and for the id of the system,
    /// `token-expired`, and `bad-payload` for an invalid id or name.
    pub fn authenticate(&self, credentials: &Credentials) -> Result<Identity> {
        let identity = self.identify(credentials)?;
        check_not_system(&identity.user.id)?;
        Ok(identity)
    }

    /// Takes over an identity that the application has made. `unauthorized` for the id of the system.
    pub(crate) fn adopt(&self, identity: Identity) -> Result<Identity> {
        check_not_system(&identity.user.id)?;
        let access = identity.access.beside(&self.open_rooms);
        Ok(Identity { access, is_of_application: true, ..identity })
    }

    fn identify(&self, credentials: &Credentials) -> Result<Identity> {
        match &self.mode {
            Mode::Open => self.trust(credentials),
            Mode::Jwt(verifier) => {
                let missing = || Error::Unauthorized("a token is needed".to_owned());
                let token = credentials.token.as_ref().and_then(|token| bearer_token(token.expose()));
                let claims = verifier.load().verify(token.ok_or_else(missing)?.expose())?;
                Ok(Identity {
                    user: claims.user,
                    is_guest: false,
                    access: self.access.and(&claims.rooms),
                    expires_at: Some(claims.expires_at),
                    is_of_application: false,
                })
            }
        }
    }

    /// Open mode: the id and the name as given; a guest without both.
    fn trust(&self, credentials: &Credentials) -> Result<Identity> {
        let is_present = |text: &&str| !MISSING.contains(text);
        let given_name = credentials.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let given_id = credentials.user_id.as_deref().filter(|id| !id.is_empty());
        let (name, id) = (given_name.filter(is_present), given_id.filter(is_present));
        if (name, id) != (given_name, given_id) {
            self.missing_logged.call_once(|| {
                tracing::warn!("a client sent undefined or null as its userId or name: such clients are guests");
            });
        }
        if id.is_none() && given_id.is_some() {
            let guest = self.guest();
            let named = name.and_then(|name| User::new(guest.user.id.clone(), name).ok());
            return Ok(Identity { user: named.unwrap_or(guest.user), ..guest });
        }
        let user = match (id, name) {
            (Some(id), name) => UserId::parse(id).and_then(|user_id| User::new(user_id, name.unwrap_or(id))),
            (None, Some(name)) => UserId::from_name(name).and_then(|id| User::new(id, name)),
            (None, None) => return Ok(self.guest()),
        };
        let user = user.map_err(Error::BadPayload)?;
        let is_guest = self.is_guest(&user.id);
        Ok(Identity { user, is_guest, access: self.access.clone(), expires_at: None, is_of_application: false })
    }

    /// Refuses `undefined` and `null` as the recipient in a field: front-ends send them when they have no id. Only in
    /// open mode, since in jwt mode a backend chooses the ids.
    pub(crate) fn check_receiver(&self, field: &str, user: &UserId) -> Result<()> {
        if matches!(self.mode, Mode::Open) && MISSING.contains(&user.as_str()) {
            return Err(Error::BadPayload(format!("{field}: nobody can be the user {user:?}", user = user.as_str())));
        }
        Ok(())
    }

    /// Whether this is a guest's id: in open mode, one that begins with `guest-`.
    pub fn is_guest(&self, user: &UserId) -> bool {
        matches!(self.mode, Mode::Open) && user.as_str().starts_with(GUEST)
    }

    /// Whether memberships of this user are stored; those of guests and the system are not.
    pub fn has_memberships(&self, user: &UserId) -> bool {
        !user.is_system() && !self.is_guest(user)
    }

    /// Checks a new token, which must be for the same user. Errors: those of [`Auth::authenticate`], `forbidden` for
    /// another user's token, and `bad-payload` in open mode.
    pub fn refresh(&self, who: &Identity, token: &str) -> Result<Identity> {
        if who.is_of_application {
            return Err(Error::BadPayload("the application checks its clients itself, without tokens".to_owned()));
        }
        if matches!(self.mode, Mode::Open) {
            return Err(Error::BadPayload("there are no tokens in open mode".to_owned()));
        }
        let new = self.authenticate(&Credentials::with_token(token))?;
        if new.user.id != who.user.id {
            return Err(Error::Forbidden("the token is another user's".to_owned()));
        }
        Ok(new)
    }

    /// A new guest.
    pub(crate) fn guest(&self) -> Identity {
        let number = self.guests.fetch_add(1, Ordering::Relaxed) + 1;
        let id = UserId::parse(&format!("{GUEST}{}", Uuid::new_v4().simple())).expect("letters and digits");
        let user = User { id, name: Arc::from(format!("Guest {number}")) };
        Identity { user, is_guest: true, access: self.access.clone(), expires_at: None, is_of_application: false }
    }
}

/// Refuses the id of the server itself.
fn check_not_system(user: &UserId) -> Result<()> {
    if user.is_system() {
        return Err(Error::Unauthorized(format!("the id {user} is the server's own")));
    }
    Ok(())
}
