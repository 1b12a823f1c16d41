// Package providertest is the exam that every directory must pass, whatever it speaks. It is imported by tests only.
//
//	providertest.Run(t, open)
//	        │
//	        ├── open(t) ──▶ Rig{Directory, Editor, Saboteur}     a fresh directory for each part of the exam
//	        └── the Editor changes the directory behind the provider's back, as its own administrators do,
//	            then the exam looks at what Scan, Fetch and Apply say about it
package providertest
