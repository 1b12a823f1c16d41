package ldapsim

import _ "embed"

// The demo's company. Every person's password is CompanyUserPassword; CompanyAdmin is in the administrators' group.
const (
	CompanyBaseDN       = "dc=example,dc=org"
	CompanyBindDN       = "cn=idbridge,ou=services,dc=example,dc=org"
	CompanyBindPassword = "bridge-demo" // of a directory in memory, on loopback
	CompanyUserPassword = "welcome"     // as above
	CompanyAdmin        = "jmuller"     // uid of an administrator
	CompanyAdminGroup   = "cn=idbridge-admins,ou=groups,dc=example,dc=org"
)

//go:embed company.ldif
var companyText string

// Company returns the demo's company as LDIF: people with names of many languages in several units, groups, and the account
// that idbridge signs in with.
func Company() string { return companyText }
