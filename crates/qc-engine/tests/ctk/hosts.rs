//! Stand-ins on loopback for the kit's two public hosts.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_contract::OpenApi;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// The addresses that the kit writes.
const PETS: &str = "https://petstore.swagger.io";
const BIN: &str = "https://httpbin.org";

/// What the pet store says of itself, of which the kit calls two operations. As in the public one,
/// `status` is a list in repeated parameters, although the kit gives one text.
const SWAGGER: &str = "
swagger: '2.0'
info: { title: Pets, version: 1.0.0 }
host: petstore.swagger.io
basePath: /v2
schemes: [ https ]
produces: [ application/json ]
paths:
  /pet/findByStatus:
    get:
      operationId: findPetsByStatus
      parameters:
        - name: status
          in: query
          required: true
          type: array
          items: { type: string, enum: [ available, pending, sold ] }
          collectionFormat: multi
      responses:
        '200':
          description: The pets with this status
          schema: { type: array, items: { $ref: '#/definitions/Pet' } }
        '400': { description: No such status }
  /pet/{petId}:
    get:
      operationId: getPetById
      parameters:
        - { name: petId, in: path, required: true, type: integer, format: int64 }
      responses:
        '200': { description: The pet, schema: { $ref: '#/definitions/Pet' } }
        '404': { description: No such pet }
definitions:
  Pet:
    type: object
    required: [ id, name ]
    properties:
      id: { type: integer, format: int64 }
      name: { type: string }
      status: { type: string, enum: [ available, pending, sold ] }
";

type Log = Arc<Mutex<Vec<String>>>;

/// Both hosts, open until dropped.
pub(crate) struct Hosts {
    pets: String,
    bin: String,
    log: Log,
    serving: Vec<JoinHandle<()>>,
}

impl Hosts {
    pub(crate) async fn open() -> Self {
        let log = Log::default();
        let pets = Router::new()
            .route("/v2/pet/findByStatus", get(pets_by_status))
            .route("/v2/pet/{id}", get(pet_by_id))
            .route("/v2/pet/getPetByName/{name}", get(no_pet));
        let bin = Router::new().route("/basic-auth/{username}/{password}", get(basic_auth));
        let (pets, serving_pets) = serve("pets", pets, &log).await;
        let (bin, serving_bin) = serve("bin", bin, &log).await;
        Self { pets, bin, log, serving: vec![serving_pets, serving_bin] }
    }

    /// A text of the kit with the public hosts' addresses replaced by the stand-ins'.
    pub(crate) fn rewritten(&self, text: &str) -> String {
        text.replace(PETS, &self.pets).replace(BIN, &self.bin)
    }

    /// The pet store's document with the address under which workflows name it, both rewritten.
    pub(crate) fn document(&self) -> (String, OpenApi) {
        let authority = self.pets.trim_start_matches("http://");
        let text = SWAGGER
            .replace("petstore.swagger.io", authority)
            .replace("schemes: [ https ]", "schemes: [ http ]");
        let api = OpenApi::from_text("swagger.yaml", &text);
        (format!("{}/v2/swagger.json", self.pets), api.unwrap_or_else(|f| panic!("{f:#?}")))
    }

    /// All requests that came, in order: `pets GET /v2/pet/1`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in &self.serving {
            host.abort();
        }
    }
}

async fn serve(name: &'static str, router: Router, log: &Log) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // Not 404: a wrong address must not look like the pet that is not there.
    let router = router.fallback(|| async { StatusCode::NOT_IMPLEMENTED });
    let router = router.layer(from_fn_with_state((name, Arc::clone(log)), note));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, serving)
}

async fn note(
    State((host, log)): State<(&'static str, Log)>,
    request: Request,
    next: Next,
) -> Response {
    log.lock().unwrap().push(format!("{host} {} {}", request.method(), request.uri()));
    next.run(request).await
}

fn pet(id: i64, status: &str) -> Value {
    json!({"id": id, "name": "Milou", "status": status})
}

async fn pets_by_status(Query(query): Query<Vec<(String, String)>>) -> Response {
    match &query[..] {
        [(name, status)] if name == "status" && status == "available" => {
            Json(json!([pet(1, status), pet(2, status)])).into_response()
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn pet_by_id(Path(id): Path<i64>) -> Json<Value> {
    Json(pet(id, "available"))
}

async fn no_pet() -> (StatusCode, Json<Value>) {
    (StatusCode::NOT_FOUND, Json(json!({"code": 404, "type": "unknown", "message": "not found"})))
}

async fn basic_auth(
    Path((name, password)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let wanted = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
    if headers.get(header::AUTHORIZATION).is_some_and(|given| *given == wanted) {
        return Json(json!({"authenticated": true, "user": name})).into_response();
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"bin\"")]).into_response()
}
