//! What etcd's texts mean. Those that a single etcd says by itself are proven on one (`tests/`).

use tonic::{Code, Status};

use super::{Asked, EtcdError, Failure, Kind};

fn read(code: Code, message: &str) -> Failure {
    let asked = Asked { what: "write `/a`".into(), revision: 7, ..Asked::default() };
    Failure::of(&Status::new(code, message), "http://a:2379", "user `root`", &asked)
}

#[test]
fn what_may_have_been_done_is_told_from_what_was_not() {
    for (code, message, may_be_done) in [
        (Code::Unavailable, "etcdserver: no leader", false),
        (Code::Unavailable, "etcdserver: not capable", false),
        (Code::Unavailable, "etcdserver: rpc not supported for learner", false),
        (Code::ResourceExhausted, "etcdserver: too many requests", false),
        (Code::Unavailable, "etcdserver: leader changed", true),
        (Code::Unavailable, "etcdserver: server stopped", true),
        (Code::Unavailable, "etcdserver: request timed out", true),
        (
            Code::Unavailable,
            "etcdserver: request timed out, possibly due to previous leader failure",
            true,
        ),
        (Code::Cancelled, "context canceled", true),
        (Code::DeadlineExceeded, "context deadline exceeded", true),
        (Code::Unknown, "raft: stopped", true),
    ] {
        let failure = read(code, message);
        assert_eq!(failure.may_be_done, may_be_done, "{message}");
        let cause = failure.kind.local().expect("another member may do it");
        assert!(!cause.contains("etcdserver: "), "{cause}");
    }
}

#[test]
fn what_all_members_would_say_ends_the_call() {
    for (code, message, expected) in [
        (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded", "alarm NOSPACE"),
        (
            Code::OutOfRange,
            "etcdserver: mvcc: required revision has been compacted",
            "no revisions before 8",
        ),
        (
            Code::OutOfRange,
            "etcdserver: mvcc: required revision is a future revision",
            "has not reached revision 7",
        ),
        (Code::PermissionDenied, "etcdserver: permission denied", "let user `root` write `/a`"),
        (
            Code::InvalidArgument,
            "etcdserver: authentication failed, invalid user ID or password",
            "the name and the password of user `root`",
        ),
        (Code::InvalidArgument, "etcdserver: too many operations in txn request", "(write `/a`)"),
        (Code::InvalidArgument, "etcdserver: request is too large", "(write `/a`)"),
        (
            Code::ResourceExhausted,
            "grpc: received message larger than max (2097237 vs. 2097152)",
            "2097237 vs. 2097152",
        ),
        (Code::DataLoss, "etcdserver: corrupt cluster", "etcd said DataLoss: corrupt cluster"),
        (Code::InvalidArgument, "etcdserver: key is not provided", "key is not provided"),
    ] {
        let failure = read(code, message);
        assert!(!failure.may_be_done, "{message}");
        let Kind::Final(error) = failure.kind else { panic!("{message}: {:?}", failure.kind) };
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn what_a_new_token_mends_is_known() {
    for (code, message) in [
        (Code::Unauthenticated, "etcdserver: invalid auth token"),
        (Code::InvalidArgument, "etcdserver: user name is empty"),
        (Code::InvalidArgument, "etcdserver: revision of auth store is old"),
    ] {
        assert!(matches!(read(code, message).kind, Kind::Token(_)), "{message}");
    }
    let error = read(Code::Unauthenticated, "etcdserver: invalid auth token");
    let error = error.into_error("http://a:2379", "user `root`");
    assert!(matches!(error, EtcdError::Denied { .. }) && error.to_string().contains("`root`"));
}
