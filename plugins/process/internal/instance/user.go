package instance

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Credential returns the ids of a user and of its groups.
func Credential(name string) (*syscall.Credential, error) {
	account, err := user.Lookup(name)
	if err != nil {
		if account, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("unknown user %q", name)
		}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %q has no numeric id", name)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %q has no numeric group", name)
	}
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	groups, err := account.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("find groups of user %q: %w", name, err)
	}
	for _, group := range groups {
		if id, err := strconv.ParseUint(group, 10, 32); err == nil {
			credential.Groups = append(credential.Groups, uint32(id))
		}
	}
	return credential, nil
}

// setUser makes the process run as another user; we must be root for that,
// unless it is who we are.
func setUser(attributes *syscall.SysProcAttr, name string) error {
	if name == "" {
		return nil
	}
	credential, err := Credential(name)
	if err != nil {
		return err
	}
	if int(credential.Uid) == os.Geteuid() {
		return nil
	}
	attributes.Credential = credential
	return nil
}
