//! The part of the world in which plans and routes ask for more than a token: claims, audiences, resources, rules.
//! It stands apart so that its rules select nothing at the other APIs.

pub(super) const APIS: &str = r#"
[[api]]
name = "terms"
context_path = "/terms"
strip_context_path = true
upstream = "sample"

[[api.plan]]
name = "acme"
security = "jwt"
issuers = ["https://acme.example/"]
subscription_validation = false
selection_rule = 'claims.tenant == "acme" and not header("X-Channel") == "web"'
claims = { "email_verified" = true }
resources.allow = [
    { path = "/menu/{id}", methods = ["GET", "PUT"] },
    { path = "/menu/*", methods = ["POST"] },
    { path = "/claims" },
    { path = "/audience" },
]
resources.deny = [{ path = "/menu/secret" }]

[[api.plan]]
name = "partner"
security = "jwt"
issuers = ["https://acme.example/"]
subscription_validation = false
selection_rule = 'claims.roles contains "partner" and method in ["GET", "HEAD"]'

[[api.route]]
path = "/claims"
claims = { "roles" = ["chef", "cook"], "level" = 3 }

[[api.route]]
path = "/audience"
audiences = ["https://payments.example.com"]

[[api.route]]
path = "/{*rest}"

# Anonymous callers, told apart by what they ask and from where.
[[api]]
name = "anonymous"
context_path = "/anonymous"
upstream = "sample"

[[api.plan]]
name = "mobile"
security = "keyless"
selection_rule = 'header("X-Channel") == "mobile" and client_ip in "127.0.0.0/8"'

[[api.plan]]
name = "reading"
security = "keyless"
selection_rule = "method matches 'GET|HEAD'"
resources.deny = [{ path = "/admin" }, { path = "/admin/*" }]
"#;
