//! Lists of networks in CIDR notation; a bare address is the network of that address alone.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

pub(super) fn serialize<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
    networks.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| parse(text).map_err(D::Error::custom)).collect()
}

fn parse(text: &str) -> Result<IpNet, String> {
    let trimmed = text.trim();
    let network = trimmed.parse().or_else(|_| trimmed.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| {
        format!(
            "{text:?} must be a network such as \"10.0.0.0/8\" or \"fd00::/8\", or an address such as \"127.0.0.1\""
        )
    })
}
