// The module an application imports: everything of the embedded database, and a database that
// mirrors a server.
@_exported public import HoldfastEmbedded
