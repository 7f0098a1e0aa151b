%%% Rights that change in all the ways in which they change, each by its name in twitter_changes and
%%% twitter_lists. What is true of a right is the same whatever gave it or took it: the very next push and
%%% the very next read know. So there is one body for all of them, run where rosters are remembered and
%%% where they are asked; remembered_SUITE is about what is remembered.
-module(rights_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    a_change_is_effective_at_once/1,
    a_change_while_the_reader_is_away/1,
    a_change_while_the_author_is_away/1,
    an_author_is_made_anew/1,
    a_post_that_waits_goes_with_its_account/1,
    everybody_of_a_vhost/1,
    one_of_many_lets_go/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MY_FRIENDS, <<"/twitter/MyFriends">>).
%% A vhost whose users all know each other.
-define(FAMILY, <<"family.localhost">>).
%% So many ways are tried at the same time.
-define(WORKERS, 6).
-define(ALL, #{push => true, read => true}).
-define(NOTHING, #{push => false, read => false}).

suite() ->
    [{timetrap, {seconds, 240}}].

all() ->
    [{group, remembered}, {group, asked}, a_post_that_waits_goes_with_its_account, one_of_many_lets_go, no_error_was_logged].

groups() ->
    Cases = [
        a_change_is_effective_at_once, a_change_while_the_reader_is_away, a_change_while_the_author_is_away,
        an_author_is_made_anew
    ],
    [{remembered, [], Cases}, {asked, [], Cases ++ [everybody_of_a_vhost]}].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{hosts => [<<"localhost">>, ?FAMILY]}).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_group(asked, Config) ->
    %% While groups are shared, rosters are more than what is written in them.
    ok = twitter_server:reload(twitter_cases:server(Config), #{modules => #{mod_shared_roster => #{}}}),
    ok = check_memory(Config, false),
    Shared = twitter_changes:shared_ways(),
    [{online, Shared ++ twitter_changes:ways()}, {away, Shared} | Config];
init_per_group(remembered, Config) ->
    ok = check_memory(Config, true),
    Ways = twitter_changes:ways() ++ twitter_lists:ways(),
    [{online, Ways}, {away, Ways} | Config].

end_per_group(asked, Config) ->
    ok = twitter_server:reload(twitter_cases:server(Config), #{modules => #{}}),
    check_memory(Config, true);
end_per_group(remembered, _Config) ->
    ok.

check_memory(Config, Expected) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:call(Server, twitter_watch, sync, []),
    Found = twitter_server:call(Server, twitter_watch, find, [twitter_rights, <<"localhost">>]),
    %% No database tells of changes, as Mnesia does.
    ?assertEqual(Expected andalso not twitter_database:is_sql(), Found =/= error).

%%% Cases

a_change_is_effective_at_once(Config) ->
    for_each_way(Config, online, [true, false], fun(#{before := Before, gain := Gain, lose := Lose, left := Left}) ->
        People = twitter_people:meet(Config),
        _ = Before(People),
        twitter_people:check(before, Left, People),
        _ = Gain(People),
        twitter_people:check(gained, ?ALL, People),
        _ = Lose(People),
        twitter_people:check(lost, Left, People)
    end).

%% He comes back to what is his now: also the posts that he has missed.
a_change_while_the_reader_is_away(Config) ->
    for_each_way(Config, away, [true, only], fun(#{before := Before, gain := Gain, lose := Lose, left := Left}) ->
        People = twitter_people:meet(Config),
        _ = Before(People),
        lists:foldl(fun come_back/2, People, [{Gain, ?ALL}, {Lose, Left}])
    end).

come_back({Change, Rights}, #{author := Alice} = Present) ->
    Away = twitter_people:leave(Present),
    _ = Change(Away),
    _ = twitter_requests:publish(Alice, <<"missed">>, <<"While you were away">>),
    #{reader := Bob} = Back = twitter_people:come(Away),
    Expected = [<<"missed">> || #{read := true} <- [Rights]],
    ?assertEqual({Rights, Expected}, {Rights, twitter_reading:ids(Bob, ?FRIENDS, #{ids => [<<"missed">>]})}),
    ok = twitter_requests:retract(Alice, <<"missed">>),
    twitter_people:check({away, Rights}, Rights, Back),
    Back.

%% Without a session of his, what he has written is there for those who may see him, and for nobody else.
a_change_while_the_author_is_away(Config) ->
    #{server := Server, author := Alice, phone := Phone, reader := Bob} = People = twitter_people:meet(Config),
    Reader = twitter_cases:user(Bob),
    User = twitter_cases:user(Alice),
    ok = twitter_users:befriend(Server, User, Reader),
    twitter_people:check(online, ?ALL, People),
    Jid = twitter_client:bare(Alice),
    ok = twitter_requests:retract(Alice, <<"kept">>),
    [ok = twitter_client:close(Client) || Client <- [Alice, Phone]],
    Away = People#{author := Jid},
    [
        begin
            _ = Change(),
            twitter_people:check_tree(Rights, Away)
        end
     || {Change, Rights} <- [
            {fun() -> ok end, ?ALL},
            {fun() -> ok = twitter_users:set_contact(Server, User, Reader, to) end, ?NOTHING},
            {fun() -> ok = twitter_users:set_contact(Server, User, Reader, both) end, ?ALL},
            {fun() -> ok = twitter_users:block(Bob, Jid) end, ?NOTHING},
            {fun() -> ok = twitter_users:unblock(Bob, Jid) end, ?ALL},
            {fun() -> ok = twitter_users:remove_contact(Bob, Jid) end, ?NOTHING}
        ]
    ],
    [Back, Again] = [twitter_users:login(Server, User) || _ <- [desk, phone]],
    <<"kept">> = twitter_requests:publish(Back, <<"kept">>, <<"For a while">>),
    twitter_people:check(back, ?NOTHING, People#{author := Back, phone := Again}).

%% Some at the same time; those that fail are named.
for_each_way(Config, Which, Kinds, Body) ->
    Ways = [Way || #{away := Away} = Way <- proplists:get_value(Which, Config), lists:member(Away, Kinds)],
    Results = twitter_cases:together([
        fun() -> [{Name, tried(Body, Way)} || {N, #{name := Name} = Way} <- numbered(Ways), N rem ?WORKERS =:= Worker] end
     || Worker <- lists:seq(0, ?WORKERS - 1)
    ]),
    ?assertEqual([], [Failed || {_, {_, _, _}} = Failed <- lists:append(Results)]),
    ?assertEqual(length(Ways), length(lists:append(Results))).

tried(Body, Way) ->
    try
        _ = Body(Way),
        ok
    catch
        Class:Reason:Stack -> {Class, Reason, Stack}
    end.

numbered(List) ->
    lists:zip(lists:seq(1, length(List)), List).

%% The account goes, by an admin or by its user (XEP-0077), and comes again under the same name. Of the
%% old one there is nothing; of the new one, only what it gives.
an_author_is_made_anew(Config) ->
    [
        begin
            #{server := Server, author := Alice, reader := Bob} = People = twitter_people:meet(Config),
            ok = twitter_users:befriend(Alice, Bob),
            twitter_people:check(before, ?ALL, People),
            {Name, Host} = User = twitter_cases:user(Alice),
            Jid = twitter_client:bare(Alice),
            ok = Delete(People),
            %% Whatever his own roster says.
            ok = twitter_cases:set_contact(Config, Bob, Jid, both),
            twitter_people:check_tree(?NOTHING, People#{author := Jid}),
            ok = twitter_ctl:run(Server, ["register", Name, Host, "secret"]),
            twitter_people:check_tree(?NOTHING, People#{author := Jid}),
            [New, Phone] = [twitter_users:login(Server, User) || _ <- [desk, phone]],
            ?assertEqual([], twitter_reading:ids(New, <<"/twitter/MyStream">>)),
            <<"secret">> = twitter_requests:publish(New, <<"secret">>, <<"I am new here">>),
            twitter_people:check_tree(?NOTHING, People#{author := New}),
            ok = twitter_users:befriend(Server, User, twitter_cases:user(Bob)),
            ok = twitter_users:befriend(Server, User, twitter_cases:user(maps:get(carol, People))),
            ?assertEqual([[{xmlcdata, <<"I am new here">>}]], twitter_reading:payloads(Bob, ?FRIENDS, #{ids => [<<"secret">>]})),
            %% The place of the old post is in the middle of nowhere.
            twitter_people:check_tree(?ALL, People#{author := New}),
            ok = twitter_cases:set_contact(Config, New, twitter_client:bare(Bob), none),
            <<"kept">> = twitter_requests:publish(New, <<"kept">>, <<"For a while">>),
            twitter_people:check(after_all, ?NOTHING, People#{author := New, phone := Phone})
        end
     || Delete <- [fun by_admin/1, fun by_user/1]
    ].

by_admin(#{server := Server, author := Alice}) ->
    {Name, Host} = twitter_cases:user(Alice),
    twitter_ctl:run(Server, ["unregister", Name, Host]).

by_user(#{server := Server, author := Alice}) ->
    Session = twitter_inside:session(Server, Alice),
    ok = twitter_client:send(Alice, <<
        "<iq type='set' id='bye' to='localhost'><query xmlns='jabber:iq:register'><remove/></query></iq>"
    >>),
    twitter_inside:await_end(Server, Session).

%% The fan-out is late, and the name has another owner by now, with friends of his own.
a_post_that_waits_goes_with_its_account(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    {Name, Host} = User = twitter_cases:user(Alice),
    Workers = twitter_inside:workers(Server, twitter_fanout),
    ok = twitter_inside:suspend(Server, Workers),
    _ = twitter_requests:publish_all(Alice, [<<"1">>, <<"2">>]),
    ok = twitter_ctl:run(Server, ["unregister", Name, Host]),
    ok = twitter_ctl:run(Server, ["register", Name, Host, "secret"]),
    [ok = twitter_users:befriend(Server, User, twitter_cases:user(Friend)) || Friend <- [Bob, Carol]],
    New = twitter_users:login(Server, User),
    _ = twitter_requests:publish(New, <<"3">>, <<"I am new here">>),
    ok = twitter_inside:resume(Server, Workers),
    [?assertMatch([{item, _, <<"3">>, _}], twitter_events:posts(Server, Friend)) || Friend <- [Bob, Carol]],
    ?assertEqual([], twitter_events:posts(Server, New)),
    ?assertMatch(#{waiting := 0}, twitter_server:call(Server, twitter_flow, counters, [<<"localhost">>])).

%% Who belongs to all, or to all who are online; and when all know each other.
everybody_of_a_vhost(Config) ->
    Server = twitter_cases:server(Config),
    [AliceUser, BobUser] = [twitter_users:fresh(Server, Name, ?FAMILY) || Name <- [<<"alice">>, <<"bob">>]],
    [Alice, Bob] = [twitter_users:login(Server, User) || User <- [AliceUser, BobUser]],
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    Ctl = fun(Words) -> twitter_ctl:run(Server, Words) end,
    Check = fun(Step, Author, IsSeen) ->
        Id = twitter_requests:publish(Author, <<"Dear all">>),
        Pushed = [[Pushed || {item, _, Pushed, _} <- twitter_events:posts(Server, Client)] || Client <- [Bob, Eve]],
        Read = [twitter_reading:ids({Client, <<"pubsub.family.localhost">>}, ?FRIENDS, #{ids => [Id]}) || Client <- [Bob, Eve]],
        Seen = [Id || IsSeen],
        ?assertEqual({Step, [Seen, []], [Seen, []]}, {Step, Pushed, Read})
    end,
    Check(nobody, Alice, false),
    ok = Ctl(["srg_create", "all", ?FAMILY, "All", "Everybody", "all"]),
    Check(empty, Alice, false),
    ok = Ctl(["srg_user_add", "@all@", ?FAMILY, "all", ?FAMILY]),
    Check(all, Alice, true),
    ok = Ctl(["srg_user_del", "@all@", ?FAMILY, "all", ?FAMILY]),
    Check(not_all, Alice, false),
    ok = Ctl(["srg_user_add", "@online@", ?FAMILY, "all", ?FAMILY]),
    Check(online, Alice, true),
    %% Then he is none of those who are.
    ok = twitter_client:close(Alice),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([], twitter_reading:rows(Bob, ?MY_FRIENDS)),
    Back = twitter_users:login(Server, AliceUser),
    Check(online_again, Back, true),
    ok = Ctl(["srg_delete", "all", ?FAMILY]),
    Check(deleted, Back, false),
    ok = Ctl(["push_alltoall", ?FAMILY, "Family"]),
    Check(all_to_all, Back, true).

%% Of a reader with many contacts, most of whom let him see nothing.
one_of_many_lets_go(Config) ->
    Server = twitter_cases:server(Config),
    [Bob | Friends] = twitter_cases:friends(Config, [<<"bob">>, <<"alice">>, <<"carol">>, <<"dave">>]),
    BobUser = twitter_cases:user(Bob),
    BobJid = twitter_client:bare(Bob),
    OneSided = [<<"one.sided", (integer_to_binary(N))/binary, "@localhost">> || N <- lists:seq(1, 110)],
    [ok = twitter_users:set_contact(Server, BobUser, Contact, both) || Contact <- OneSided],
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    ok = twitter_users:set_contact(Server, BobUser, twitter_cases:user(Eve), both),
    _ = twitter_cases:chat([Eve | Friends], 1),
    Check = fun(Step, Seen) ->
        Jids = lists:sort([twitter_client:bare(Friend) || Friend <- Seen]),
        ?assertEqual({Step, Jids}, {Step, lists:sort([By || {By, _, _} <- twitter_reading:entries(Bob, ?FRIENDS)])}),
        ?assertEqual({Step, length(Jids)}, {Step, length(twitter_reading:rows(Bob, ?MY_FRIENDS))})
    end,
    [Alice, Carol, Dave] = Friends,
    Check(before, Friends),
    ok = twitter_users:block(Alice, BobJid),
    Check(blocked, [Carol, Dave]),
    ok = twitter_users:remove_contact(Carol, BobJid),
    ok = twitter_users:set_contact(Server, BobUser, twitter_cases:user(Carol), both),
    Check(removed, [Dave]),
    ok = twitter_users:set_contact(Server, twitter_cases:user(Dave), BobUser, to),
    Check(lets_no_more, []),
    ok = twitter_users:unblock(Alice, BobJid),
    Check(unblocked, [Alice]),
    ok = twitter_users:set_contact(Server, twitter_cases:user(Dave), BobUser, from),
    Check(lets_again, [Alice, Dave]),
    ok = twitter_users:block(Bob, twitter_client:bare(Alice)),
    Check(blocks, [Dave]).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).
