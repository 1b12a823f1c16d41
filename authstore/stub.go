package authstore

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/idbridge/idbridge"
)

var errStub = errors.New("not built yet")

type Store struct{}

func Open(ctx context.Context, c Config, o Options) (*Store, error) { return nil, errStub }
func (s *Store) Close() error                                       { return errStub }
func (s *Store) Ping(ctx context.Context) error                     { return errStub }
func (s *Store) Revision(ctx context.Context) (int64, error)        { return 0, errStub }

func (s *Store) Lead(ctx context.Context, ttl time.Duration) (int64, error)      { return 0, errStub }
func (s *Store) Renew(ctx context.Context, epoch int64, ttl time.Duration) error { return errStub }
func (s *Store) Resign(ctx context.Context, epoch int64) error                   { return errStub }

func (s *Store) User(ctx context.Context, id idbridge.UserID) (idbridge.User, error) {
	return idbridge.User{}, errStub
}
func (s *Store) UserByName(ctx context.Context, name string) (idbridge.User, error) {
	return idbridge.User{}, errStub
}
func (s *Store) Users(ctx context.Context, f UserFilter) ([]idbridge.User, error) {
	return nil, errStub
}
func (s *Store) AddUser(ctx context.Context, n NewUser) (idbridge.User, error) {
	return idbridge.User{}, errStub
}
func (s *Store) EditUser(ctx context.Context, e UserEdit) (idbridge.User, error) {
	return idbridge.User{}, errStub
}
func (s *Store) SetSuspended(ctx context.Context, id idbridge.UserID, on bool, by, reason string) error {
	return errStub
}
func (s *Store) DeleteUser(ctx context.Context, id idbridge.UserID, by string) error { return errStub }
func (s *Store) Links(ctx context.Context, id idbridge.UserID) ([]idbridge.Link, error) {
	return nil, errStub
}
func (s *Store) Pending(ctx context.Context, id idbridge.UserID) ([]idbridge.Edit, error) {
	return nil, errStub
}

func (s *Store) GrantRole(ctx context.Context, id idbridge.UserID, role idbridge.Role, application, by string) error {
	return errStub
}
func (s *Store) RevokeRole(ctx context.Context, id idbridge.UserID, role idbridge.Role, application, by string) error {
	return errStub
}
func (s *Store) Grants(ctx context.Context, id idbridge.UserID) ([]idbridge.Grant, error) {
	return nil, errStub
}
func (s *Store) RoleMembers(ctx context.Context, role idbridge.Role, application string, after idbridge.UserID, limit int) ([]idbridge.Grant, error) {
	return nil, errStub
}
func (s *Store) Roles(ctx context.Context) ([]RoleCount, error) { return nil, errStub }

func (s *Store) CreateKey(ctx context.Context, k idbridge.Key, by string) (idbridge.Key, error) {
	return idbridge.Key{}, errStub
}
func (s *Store) KeyAccess(ctx context.Context, id idbridge.KeyID) (idbridge.Key, idbridge.Access, error) {
	return idbridge.Key{}, idbridge.Access{}, errStub
}
func (s *Store) Access(ctx context.Context, id idbridge.UserID) (idbridge.Access, error) {
	return idbridge.Access{}, errStub
}
func (s *Store) AccessByName(ctx context.Context, name string) (idbridge.Access, error) {
	return idbridge.Access{}, errStub
}
func (s *Store) Keys(ctx context.Context, id idbridge.UserID) ([]idbridge.Key, error) {
	return nil, errStub
}
func (s *Store) SetKeyEnabled(ctx context.Context, id idbridge.KeyID, on bool, by string) error {
	return errStub
}
func (s *Store) RevokeKey(ctx context.Context, id idbridge.KeyID, by, reason string) error {
	return errStub
}
func (s *Store) Touch(id idbridge.KeyID, addr string, at time.Time) {}

func (s *Store) Runs(ctx context.Context, f RunFilter) ([]idbridge.Run, error) { return nil, errStub }
func (s *Store) Run(ctx context.Context, id idbridge.RunID) (idbridge.Run, error) {
	return idbridge.Run{}, errStub
}
func (s *Store) Plans(ctx context.Context, directory string, state idbridge.PlanState) ([]idbridge.Plan, error) {
	return nil, errStub
}
func (s *Store) Conflicts(ctx context.Context, f ConflictFilter) ([]idbridge.Conflict, error) {
	return nil, errStub
}
func (s *Store) Conflict(ctx context.Context, id idbridge.ConflictID) (idbridge.Conflict, error) {
	return idbridge.Conflict{}, errStub
}
func (s *Store) Quarantine(ctx context.Context, directory string) ([]QuarantineRow, error) {
	return nil, errStub
}
func (s *Store) Status(ctx context.Context, directory string) (idbridge.Source, idbridge.Population, StatusCounts, error) {
	return idbridge.Source{}, idbridge.Population{}, StatusCounts{}, errStub
}
func (s *Store) Audit(ctx context.Context, f AuditFilter) ([]idbridge.Audit, error) {
	return nil, errStub
}
func (s *Store) AddAudit(ctx context.Context, a idbridge.Audit) error   { return errStub }
func (s *Store) Digests(ctx context.Context) (map[string]string, error) { return nil, errStub }

func (s *Store) Marks(ctx context.Context, directory string) iter.Seq2[idbridge.Mark, error] {
	return func(yield func(idbridge.Mark, error) bool) { yield(idbridge.Mark{}, errStub) }
}
func (s *Store) Subjects(ctx context.Context, directory string, ids []idbridge.ExternalID, shown []idbridge.Profile) ([]idbridge.Subject, error) {
	return nil, errStub
}
func (s *Store) Groups(ctx context.Context, directory string) ([]idbridge.Group, error) {
	return nil, errStub
}
func (s *Store) Members(ctx context.Context, group idbridge.ExternalID) ([]string, error) {
	return nil, errStub
}
func (s *Store) Source(ctx context.Context, directory string) (idbridge.Source, error) {
	return idbridge.Source{}, errStub
}
func (s *Store) Commit(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error) {
	return nil, errStub
}
func (s *Store) Settle(ctx context.Context, lead idbridge.Lead, settlements []idbridge.Settlement) error {
	return errStub
}
func (s *Store) OpenSent(ctx context.Context, directory string) ([]idbridge.Sent, error) {
	return nil, errStub
}
func (s *Store) SavePlan(ctx context.Context, p idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	return errStub
}
func (s *Store) Plan(ctx context.Context, hash string) (idbridge.Plan, error) {
	return idbridge.Plan{}, errStub
}
func (s *Store) Decisions(ctx context.Context, hash string) iter.Seq2[idbridge.Decision, error] {
	return func(yield func(idbridge.Decision, error) bool) { yield(idbridge.Decision{}, errStub) }
}
func (s *Store) ClosePlan(ctx context.Context, hash string, state idbridge.PlanState, by string) error {
	return errStub
}
func (s *Store) BeginRun(ctx context.Context, run idbridge.Run) (idbridge.RunID, error) {
	return 0, errStub
}
func (s *Store) EndRun(ctx context.Context, lead idbridge.Lead, run idbridge.Run, source *idbridge.Source) error {
	return errStub
}
func (s *Store) Outbox(ctx context.Context, directory string, limit int) ([]idbridge.Edit, error) {
	return nil, errStub
}
func (s *Store) AckOutbox(ctx context.Context, lead idbridge.Lead, ids []int64) error { return errStub }
func (s *Store) Population(ctx context.Context, directory string) (idbridge.Population, error) {
	return idbridge.Population{}, errStub
}
