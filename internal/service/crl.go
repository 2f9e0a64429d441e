package service

// wakeLists tells the publisher that a list may be due.
func (s *Service) wakeLists() {
	select {
	case s.listed <- struct{}{}:
	default:
	}
}
