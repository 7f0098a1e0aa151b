%%% What a reader may not see is answered exactly like what does not exist, whatever he
%%% asks for. names_SUITE is about names of nodes that nobody has.
-module(hidden_SUITE).

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_stranger_is_hidden/1,
    a_contact_without_subscription_is_hidden/1,
    a_contact_who_only_sees_the_reader_is_hidden/1,
    a_contact_who_agreed_to_nothing_is_hidden/1,
    a_contact_whom_the_reader_removed_is_hidden/1,
    a_contact_who_removed_the_reader_is_hidden/1,
    a_contact_whom_the_reader_blocked_is_hidden/1,
    a_contact_who_blocked_the_reader_is_hidden/1,
    the_reader_is_no_friend_of_his_own/1,
    one_direction_is_enough/1,
    no_error_was_logged/1
]).

-define(NOBODY, <<"nobody@localhost">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, asking}, no_error_was_logged].

groups() ->
    [
        {asking, [parallel], [
            a_stranger_is_hidden,
            a_contact_without_subscription_is_hidden,
            a_contact_who_only_sees_the_reader_is_hidden,
            a_contact_who_agreed_to_nothing_is_hidden,
            a_contact_whom_the_reader_removed_is_hidden,
            a_contact_who_removed_the_reader_is_hidden,
            a_contact_whom_the_reader_blocked_is_hidden,
            a_contact_who_blocked_the_reader_is_hidden,
            the_reader_is_no_friend_of_his_own,
            one_direction_is_enough
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Who is no friend

a_stranger_is_hidden(Config) ->
    [Alice, Bob] = twitter_cases:strangers(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish(Bob, <<"secret">>, <<"Hello">>),
    twitter_secret:assert_hidden(Alice, twitter_client:bare(Bob)).

a_contact_without_subscription_is_hidden(Config) ->
    {Alice, Bob, Jid} = twitter_secret:friend(Config),
    ok = twitter_cases:set_contact(Config, Alice, Jid, none),
    [{_, both}] = twitter_users:roster(twitter_cases:server(Config), twitter_cases:user(Bob)),
    twitter_secret:assert_hidden(Alice, Jid).

a_contact_who_only_sees_the_reader_is_hidden(Config) ->
    {Alice, _Bob, Jid} = twitter_secret:friend(Config),
    ok = twitter_cases:set_contact(Config, Alice, Jid, from),
    twitter_secret:assert_hidden(Alice, Jid).

%% The reader's roster says that he sees the contact; the contact's own does not.
a_contact_who_agreed_to_nothing_is_hidden(Config) ->
    [
        begin
            {Alice, Bob, Jid} = twitter_secret:friend(Config),
            ok = twitter_cases:set_contact(Config, Bob, twitter_client:bare(Alice), Subscription),
            twitter_secret:assert_hidden(Alice, Jid)
        end
     || Subscription <- [none, to]
    ].

a_contact_whom_the_reader_removed_is_hidden(Config) ->
    {Alice, _Bob, Jid} = twitter_secret:friend(Config),
    ok = twitter_users:remove_contact(Alice, Jid),
    twitter_secret:assert_hidden(Alice, Jid).

a_contact_who_removed_the_reader_is_hidden(Config) ->
    {Alice, Bob, Jid} = twitter_secret:friend(Config),
    ok = twitter_users:remove_contact(Bob, twitter_client:bare(Alice)),
    twitter_secret:assert_hidden(Alice, Jid).

a_contact_whom_the_reader_blocked_is_hidden(Config) ->
    {Alice, _Bob, Jid} = twitter_secret:friend(Config),
    ok = twitter_users:block(Alice, Jid),
    twitter_secret:assert_hidden(Alice, Jid),
    ok = twitter_users:unblock(Alice, Jid),
    twitter_secret:assert_shown(Alice, Jid).

a_contact_who_blocked_the_reader_is_hidden(Config) ->
    {Alice, Bob, Jid} = twitter_secret:friend(Config),
    ok = twitter_users:block(Bob, twitter_client:bare(Alice)),
    twitter_secret:assert_hidden(Alice, Jid),
    %% A block outlives the session in which it was made.
    User = twitter_cases:user(Bob),
    ok = twitter_client:close(Bob),
    twitter_secret:assert_hidden(Alice, Jid),
    Again = twitter_users:login(twitter_cases:server(Config), User),
    ok = twitter_users:unblock(Again, twitter_client:bare(Alice)),
    twitter_secret:assert_shown(Alice, Jid).

%% Not even with himself as a contact, which some clients allow.
the_reader_is_no_friend_of_his_own(Config) ->
    {Alice, _Bob, _} = twitter_secret:friend(Config),
    Self = twitter_client:bare(Alice),
    ok = twitter_cases:set_contact(Config, Alice, Self, both),
    _ = twitter_requests:publish(Alice, <<"secret">>, <<"Hello">>),
    false = twitter_secret:has_row(Alice, <<"/twitter/MyFriends">>, Self),
    [] = [Post || {Publisher, _} = Post <- twitter_secret:friends_posts(Alice), Publisher =:= Self],
    twitter_secret:assert_alike(
        Alice, <<"/twitter/MyFriends/", Self/binary>>, <<"/twitter/MyFriends/", ?NOBODY/binary>>
    ).

one_direction_is_enough(Config) ->
    {Alice, Bob, Jid} = twitter_secret:friend(Config),
    ok = twitter_cases:set_contact(Config, Alice, Jid, to),
    ok = twitter_cases:set_contact(Config, Bob, twitter_client:bare(Alice), from),
    twitter_secret:assert_shown(Alice, Jid),
    twitter_secret:assert_hidden(Bob, twitter_client:bare(Alice)).

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).
