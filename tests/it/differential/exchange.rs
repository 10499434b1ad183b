//! Thousands of questions to one server over one socket, many under way at a time.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use super::question::Question;
use crate::support::{PATIENCE, dns::framed};

/// Questions under way over UDP: few enough that their replies fit into a socket's buffer.
const UDP_WINDOW: usize = 48;

/// Questions under way on a connection: less than any server reads ahead.
const TCP_WINDOW: usize = 16;

/// How long a reply may take before its question is asked again, and how often it is.
const RETRY: (Duration, u32) = (Duration::from_secs(2), 5);

/// The replies to questions over UDP, in their order.
///
/// # Errors
/// With a question that was not answered.
pub(crate) fn udp(server: SocketAddr, questions: &[&Question]) -> Result<Vec<Vec<u8>>, String> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(RETRY.0)).unwrap();
    let mut replies: Vec<Option<Vec<u8>>> = vec![None; questions.len()];
    let mut under_way: Vec<u16> = Vec::new();
    let (mut next, mut retries) = (0u16, 0);
    let mut buffer = vec![0; 65_535];
    let send = |id: u16| {
        // A server that is not up yet refuses, which is the end of this attempt.
        socket.send(&questions[usize::from(id)].to_wire(id)).map_err(|error| error.to_string())
    };
    loop {
        while under_way.len() < UDP_WINDOW && usize::from(next) < questions.len() {
            send(next)?;
            under_way.push(next);
            next += 1;
        }
        if under_way.is_empty() {
            return Ok(replies.into_iter().flatten().collect());
        }
        match socket.recv(&mut buffer) {
            Ok(length @ 2..) => {
                let id = u16::from_be_bytes([buffer[0], buffer[1]]);
                under_way.retain(|&other| other != id);
                if let Some(reply) = replies.get_mut(usize::from(id)) {
                    *reply = Some(buffer[..length].to_vec());
                }
            }
            Ok(_) => return Err("a packet without a header".into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock && retries < RETRY.1 => {
                retries += 1;
                under_way.iter().try_for_each(|&id| send(id).map(drop))?;
            }
            Err(error) => {
                return Err(format!("{error}: {}", questions[usize::from(under_way[0])]));
            }
        }
    }
}

/// The replies to questions on one connection, in the order of the questions.
///
/// # Errors
/// With a question that was not answered.
pub(crate) fn tcp(server: SocketAddr, questions: &[&Question]) -> Result<Vec<Vec<u8>>, String> {
    let mut connection = TcpStream::connect(server).map_err(|error| error.to_string())?;
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut replies = Vec::new();
    for window in questions.chunks(TCP_WINDOW) {
        let ids = 0..u16::try_from(window.len()).unwrap();
        let wire = window.iter().zip(ids).flat_map(|(question, id)| framed(&question.to_wire(id)));
        let failed = |error: std::io::Error| format!("{error}: {} and on", window[0]);
        connection.write_all(&wire.collect::<Vec<_>>()).map_err(failed)?;
        let mut arrived = vec![Vec::new(); window.len()];
        for _ in window {
            let mut length = [0; 2];
            connection.read_exact(&mut length).map_err(failed)?;
            let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
            connection.read_exact(&mut reply).map_err(failed)?;
            let id = reply.first_chunk().map(|id| usize::from(u16::from_be_bytes(*id)));
            let place = id.and_then(|id| arrived.get_mut(id)).filter(|place| place.is_empty());
            *place.ok_or_else(|| format!("a reply to nothing, after {}", window[0]))? = reply;
        }
        replies.append(&mut arrived);
    }
    Ok(replies)
}
