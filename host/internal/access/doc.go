// Package access says who may do what: tokens, their roles, and the anonymous
// viewer of the own machine.
//
// Of a token's secret only the SHA-256 is kept. The package must never write a
// secret anywhere but into the file of the first token, and never log one.
package access
