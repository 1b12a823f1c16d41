// Package imaging speaks as CAST Imaging does to clients that come with an API key: who am I, is the server there, which
// version does it speak. Its profile routes are also what a publishing console asks for, see package publish.
package imaging
