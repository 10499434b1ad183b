//! The paths.
//!
//! Netflix's server has them under `/eureka/v2`, Spring's under `/eureka`; clients of both end some
//! paths with a slash and others not. All of these are here.

use axum::{
    Router,
    routing::{MethodRouter, get, post, put},
};

use super::routes::{apps, instance, replication, server, vips};
use crate::http::Api;

/// All routes.
pub(in crate::http) fn routes() -> Router<Api> {
    let mut router = Router::new();
    let all: [(&str, MethodRouter<Api>); 13] = [
        ("apps", get(apps::all)),
        ("apps/delta", get(apps::delta)),
        ("apps/{app}", get(apps::one).post(instance::register)),
        ("apps/{app}/{id}", get(instance::read).put(instance::renew).delete(instance::cancel)),
        ("apps/{app}/{id}/status", put(instance::set_status).delete(instance::remove_override)),
        ("apps/{app}/{id}/metadata", put(instance::add_metadata)),
        ("instances/{id}", get(instance::read_by_id)),
        ("vips/{vip}", get(vips::vip)),
        ("svips/{vip}", get(vips::secure_vip)),
        ("asg/{name}/status", put(server::group_status)),
        ("peerreplication/batch", post(replication::batch)),
        ("serverinfo/statusoverrides", get(server::overrides)),
        ("status", get(server::status)),
    ];
    for (path, methods) in all {
        for prefix in ["/eureka", "/eureka/v2"] {
            for end in ["", "/"] {
                router = router.route(&format!("{prefix}/{path}{end}"), methods.clone());
            }
        }
    }
    router
}
