//! How PostgreSQL is reached: the URL, the password, and what a connection is set to.

use std::{fs, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::form_urlencoded;

use super::tls::{self, Verification};
use crate::{
    config::{ConfigError, StoreConfig},
    store::search::Fields,
};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence after which a connection is probed.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long sent data may remain without an answer of the network.
const UNANSWERED: Duration = Duration::from_secs(10);

/// What the engine needs to know of the configuration.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) connection: Config,
    pub(super) tls: MakeRustlsConnect,
    pub(super) schema: String,
    pub(super) is_shared: bool,
    pub(super) readers: usize,
    /// The fields that are searched.
    pub(super) fields: Option<Fields>,
}

impl Settings {
    /// Reads the settings and the files that they name. The error is one sentence that begins with the setting.
    pub(super) fn new(config: &StoreConfig) -> Result<Self, ConfigError> {
        let wrong = |what: &str| ConfigError(format!("store.url: {what}"));
        if !["postgres://", "postgresql://"].iter().any(|scheme| config.url.starts_with(scheme)) {
            return Err(wrong("must begin with postgres:// or postgresql://"));
        }
        let (address, parameters) = config.url.split_once('?').unwrap_or((&config.url, ""));
        let mut sslmode = None;
        let mut root_certificates = None;
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
            match &*name {
                "sslmode" => sslmode = Some(value.into_owned()),
                "sslrootcert" => root_certificates = Some(value.into_owned()),
                _ => drop(rest.append_pair(&name, &value)),
            }
        }
        // The parser of URLs takes a blank for a blank only if it is written as %20.
        let rest = rest.finish().replace('+', "%20");
        let mut connection: Config = format!("{address}?{rest}").parse().map_err(|error: tokio_postgres::Error| {
            let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            wrong(&format!("cannot be read: {reason}"))
        })?;
        if connection.get_password().is_some() {
            return Err(wrong("must not contain a password: set store.password or store.password-file"));
        }
        let (mode, verification) = match (sslmode.as_deref(), &root_certificates) {
            (Some("disable"), _) => (SslMode::Disable, Verification::None),
            (Some("prefer") | None, _) => (SslMode::Prefer, Verification::None),
            (Some("require"), None) => (SslMode::Require, Verification::None),
            (Some("require" | "verify-ca"), _) => (SslMode::Require, Verification::Authority),
            (Some("verify-full"), _) => (SslMode::Require, Verification::Full),
            (Some(_), _) => {
                return Err(wrong("sslmode must be disable, prefer, require, verify-ca or verify-full"));
            }
        };
        if connection.get_user().is_none_or(str::is_empty) {
            return Err(wrong("must name a user, as in postgres://sockeye@localhost/sockeye"));
        }
        if connection.get_hosts().is_empty() && connection.get_hostaddrs().is_empty() {
            return Err(wrong("must name a host, as in postgres://sockeye@localhost/sockeye"));
        }
        if mode == SslMode::Require && connection.get_hosts().iter().any(|host| matches!(host, Host::Unix(_))) {
            return Err(wrong("TLS is not possible over a Unix socket: leave sslmode out"));
        }
        connection.ssl_mode(mode).connect_timeout(CONNECT_TIMEOUT).keepalives_idle(KEEPALIVE);
        connection.tcp_user_timeout(UNANSWERED);
        if connection.get_application_name().is_none() {
            connection.application_name("sockeye");
        }
        if let Some(password) = password(config)? {
            connection.password(password);
        }
        if config.schema.is_empty() || config.schema.len() > 63 || config.schema.contains('\0') {
            return Err(ConfigError("store.schema: must have 1 to 63 bytes".to_owned()));
        }
        Ok(Self {
            connection,
            tls: tls::connector(verification, root_certificates.as_deref())?,
            schema: config.schema.clone(),
            is_shared: config.shared,
            readers: config.readers,
            fields: None,
        })
    }

    /// The schema's name as SQL writes it.
    pub(super) fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema.replace('"', "\"\""))
    }

    /// The commands that every new connection begins with. The values must hold whatever the role or the database sets.
    pub(super) fn session(&self) -> String {
        format!(
            "SET search_path = {}; SET synchronous_commit = on; SET statement_timeout = '5s'; SET lock_timeout = '4s';
             SET idle_in_transaction_session_timeout = '10s'; SET default_transaction_isolation = 'read committed'",
            self.quoted_schema()
        )
    }
}

/// The password, from the setting or its file.
fn password(config: &StoreConfig) -> Result<Option<String>, ConfigError> {
    if config.password_file.as_os_str().is_empty() {
        return Ok(Some(config.password.expose().to_owned()).filter(|password| !password.is_empty()));
    }
    let file = config.password_file.display();
    if !config.password.expose().is_empty() {
        return Err(ConfigError("store.password-file: is set beside store.password: set one of them".to_owned()));
    }
    let text = fs::read_to_string(&config.password_file)
        .map_err(|error| ConfigError(format!("store.password-file: {file} cannot be read: {error}")))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(ConfigError(format!("store.password-file: {file} is empty")));
    }
    Ok(Some(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn settings(url: &str) -> Result<Settings, String> {
        let config = StoreConfig { url: url.to_owned(), ..StoreConfig::default() };
        Settings::new(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_is_read_with_its_parameters() {
        let read = settings("postgres://ada@db.example:5433/chat?sslmode=require&application_name=my%20chat").unwrap();
        assert_eq!(read.connection.get_user(), Some("ada"));
        assert_eq!(read.connection.get_dbname(), Some("chat"));
        assert_eq!(read.connection.get_ports(), [5433]);
        assert_eq!(read.connection.get_ssl_mode(), SslMode::Require);
        assert_eq!(read.connection.get_application_name(), Some("my chat"));
        let socket = settings("postgresql://ada@/chat?host=/var/run/postgresql").unwrap();
        assert!(matches!(socket.connection.get_hosts(), [Host::Unix(_)]));
        assert_eq!(socket.connection.get_ssl_mode(), SslMode::Prefer);
    }

    #[test]
    fn a_wrong_url_is_refused_with_a_sentence_that_does_not_repeat_it() {
        for (url, sentence) in [
            ("mysql://ada@db/chat", "must begin with postgres:// or postgresql://"),
            ("postgres://ada:hunter2@db/chat", "must not contain a password"),
            ("postgres://ada@db/chat?password=hunter2", "must not contain a password"),
            ("postgres://ada@db/chat?sslmode=allow", "sslmode must be"),
            ("postgres://ada@db/chat?color=hunter2", "cannot be read: unknown option `color`"),
            ("postgres://ada@db:port/chat", "cannot be read: invalid value for option `port`"),
            ("postgres://db/chat", "must name a user"),
            ("postgres://ada@/chat", "must name a host"),
            ("postgres://ada@/chat?host=/run&sslmode=require", "not possible over a Unix socket"),
            ("postgres://ada@db/chat?sslmode=verify-full&sslrootcert=/no/such", "cannot be read"),
        ] {
            let refused = settings(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(refused.starts_with("store.url: "), "{refused}");
            assert!(refused.contains(sentence), "{url}: {refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_password_comes_from_the_setting_or_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "from file\r\n").unwrap();
        let url = "postgres://ada@db/chat".to_owned();
        let with = |password: &str, password_file: &std::path::Path| {
            let (password, password_file) = (Secret::new(password), password_file.to_owned());
            let config = StoreConfig { url: url.clone(), password, password_file, ..StoreConfig::default() };
            Settings::new(&config).map(|settings| settings.connection.get_password().map(<[u8]>::to_vec))
        };
        assert_eq!(with("set", "".as_ref()).unwrap(), Some(b"set".to_vec()));
        assert_eq!(with("", file.path()).unwrap(), Some(b"from file".to_vec()));
        assert_eq!(with("", "".as_ref()).unwrap(), None);
        assert!(with("set", file.path()).is_err());
        assert!(with("", "/no/such/file".as_ref()).is_err());
    }

    #[test]
    fn a_schema_is_quoted() {
        let read = StoreConfig {
            url: "postgres://ada@db/chat".to_owned(),
            schema: "a\"b".to_owned(),
            ..StoreConfig::default()
        };
        assert_eq!(Settings::new(&read).unwrap().quoted_schema(), "\"a\"\"b\"");
    }
}
