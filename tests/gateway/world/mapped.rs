//! The part of the world in which claims are more than renamed and audiences come from elsewhere.
//! It stands apart so that the names that its maps feed mean nothing to the other APIs.

/// Whose claims change on the way in, and who follows RFC 9068.
pub(super) const ISSUERS: &str = r#"
[[claim_mapping]]
remote_claim = "org.groups"
local_claim = "groups"

[[claim_mapping]]
remote_claim = "org.tags"
local_claim = "tags"

[[issuer]]
name = "https://mapped.example/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "mapped.json"

[[issuer.claim_mapping]]
remote_claim = "uid"
local_claim = "sub"
prefix = "m/"

[[issuer.claim_mapping]]
remote_claim = "app"
local_claim = "azp"
lowercase = true

[[issuer.claim_mapping]]
remote_claim = "permissions"
local_claim = "scope"
split = ";"

[[issuer.claim_mapping]]
remote_claim = "groups"
local_claim = "roles"
regex = "^CN=([^,]+),"
lowercase = true
prefix = "m:"
default = ["m:guest"]

[[issuer.claim_mapping]]
remote_claim = "pieces"
local_claim = "parts"
split = ","
prefix = "piece-of-something-that-is-longer-than-itself/"

[[issuer.claim_mapping]]
remote_claim = "labels"
local_claim = "tags"
join = " "

[[issuer]]
name = "https://access.example/"
algorithms = ["ES256"]
audience_from = ["gateway"]
token_profile = "rfc9068"
use_default_claim_mapping = false
jwks.file = "access.json"
"#;

/// Where mapped claims and audiences of every kind count.
pub(super) const APIS: &str = r#"
[[api]]
name = "mapped"
context_path = "/mapped"
upstream = "sample"
claim_header_separator = "|"

[api.claim_headers]
X-User = "sub"
X-Client = "azp"
X-Roles = "roles"
X-Level = "groups"
X-Tags = "tags"

[[api.plan]]
name = "any"
security = "jwt"
issuers = ["https://mapped.example/", "https://acme.example/", "https://globex.example/"]
subscription_validation = false

[[api.route]]
path = "/x"

[[api.route]]
path = "/scoped"
scopes = ["menu:read"]

[[api]]
name = "sourced"
context_path = "/sourced"
public_uri = "https://api.example.com/sourced"
upstream = "sample"

[[api.plan]]
name = "gateway"
security = "jwt"
issuers = ["https://access.example/"]
subscription_validation = false

[[api.plan]]
name = "uri"
security = "jwt"
issuers = ["https://acme.example/"]
audience_from = ["request_uri"]

[[api.plan]]
name = "own"
security = "jwt"
issuers = ["https://acme.example/"]
audiences = ["https://own.example"]
audience_from = ["application"]
subscription_validation = false

[[subscription]]
application = "mobile"
api = "sourced"
plan = "uri"
"#;
