%%% Who may see whom, asked of SQL for many people at once, is what ejabberd says of each of them: while rosters and privacy
%%% lists change at random, with its caches on, off, and too small. With Mnesia this runs on SQLite all the same.
-module(bulk_rights_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, suite/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([with_caches/1, without_caches/1, with_small_caches/1, with_shared_groups/1, no_error_was_logged/1]).

-define(PEOPLE, 8).
-define(ROUNDS, 30).
-define(ELSEWHERE, <<"reader@elsewhere.example">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [with_caches, without_caches, with_small_caches, with_shared_groups, no_error_was_logged].

init_per_suite(Config) ->
    Storage = case twitter_database:storage() of
        mnesia -> sqlite;
        Sql -> Sql
    end,
    Seed = rand:uniform(1_000_000_000),
    ct:pal("seed ~b", [Seed]),
    [{seed, Seed} | twitter_cases:start(Config, #{storage => Storage})].

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_testcase(no_error_was_logged, Config) ->
    Config;
init_per_testcase(Case, Config) ->
    ok = twitter_server:restart(twitter_cases:server(Config), #{modules => modules(Case)}),
    _ = rand:seed(exsss, proplists:get_value(seed, Config)),
    Config.

end_per_testcase(_Case, _Config) ->
    ok.

modules(with_caches) -> caches(#{use_cache => true});
modules(without_caches) -> caches(#{use_cache => false});
modules(with_small_caches) -> caches(#{use_cache => true, cache_size => 10});
%% Then somebody else has a say, and ejabberd is asked.
modules(with_shared_groups) -> (caches(#{use_cache => false}))#{mod_shared_roster => #{}}.

caches(Options) ->
    maps:from_keys([mod_privacy, mod_roster], Options).

with_caches(Config) -> same_while_all_changes(Config).

without_caches(Config) -> same_while_all_changes(Config).

with_small_caches(Config) -> same_while_all_changes(Config).

with_shared_groups(Config) -> same_while_all_changes(Config).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

same_while_all_changes(Config) ->
    Server = twitter_cases:server(Config),
    People = [twitter_users:fresh(Server, <<"somebody">>) || _ <- lists:seq(1, ?PEOPLE)],
    Clients = [twitter_users:login(Server, User) || User <- People],
    Sizes = [begin
        change(Server, People, Clients),
        lists:sum([length(same(Server, People, Reader)) || Reader <- [?ELSEWHERE | [twitter_users:jid(User) || User <- People]]])
    end || _ <- lists:seq(1, ?ROUNDS)],
    %% There was something to be seen, and not all of it.
    ?assert(lists:max(Sizes) > ?PEOPLE),
    ?assert(lists:max(Sizes) < ?PEOPLE * ?PEOPLE),
    lists:foreach(fun twitter_client:close/1, Clients).

%% Two contacts change, and now and then somebody blocks somebody, or no longer does.
change(Server, People, Clients) ->
    [begin
        Contact = any([?ELSEWHERE | [twitter_users:jid(User) || User <- People]]),
        ok = twitter_users:set_contact(Server, any(People), Contact, any([none, from, to, both, both, both]))
    end || _ <- [1, 2]],
    Jid = any([?ELSEWHERE | [twitter_users:jid(User) || User <- People]]),
    case rand:uniform(4) of
        1 -> twitter_users:block(any(Clients), Jid);
        2 -> twitter_users:unblock(any(Clients), Jid);
        _ -> ok
    end.

%% For one of them alone ejabberd is asked.
same(Server, People, Reader) ->
    Authors = [twitter_users:jid(User) || User <- People, twitter_users:jid(User) =/= Reader],
    Call = fun(Function, Args) -> twitter_server:call(Server, twitter_roster, Function, Args) end,
    Jid = Call(bare, [Reader]),
    Each = [Author || Author <- Authors, Call(may_see, [Jid, Call(bare, [Author])])],
    ?assertEqual(lists:sort(Each), lists:sort(Call(who_may_be_seen, [Jid, Authors]))),
    Each.

any(Some) ->
    lists:nth(rand:uniform(length(Some)), Some).
