%%% Who may post, and how fast: the options access_post, post_rate and access_any_rate.
-module(permit_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1, end_per_testcase/2]).
-export([
    who_has_no_access_does_not_post/1,
    access_is_lost_and_gained_at_once/1,
    so_many_posts_at_once/1,
    what_is_refused_costs_nothing/1,
    room_comes_back/1,
    a_new_limit_holds_at_once/1,
    who_may_post_at_any_rate/1,
    there_is_a_limit_by_default/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [
        who_has_no_access_does_not_post,
        access_is_lost_and_gained_at_once,
        so_many_posts_at_once,
        what_is_refused_costs_nothing,
        room_comes_back,
        a_new_limit_holds_at_once,
        who_may_post_at_any_rate,
        there_is_a_limit_by_default,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{
        options => #{
            acl => #{boss => #{user_regexp => <<"^boss">>}},
            access_rules => #{bosses => [#{allow => boss}]}
        }
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

end_per_testcase(_Case, Config) ->
    reload(Config, #{}).

%%% access_post

who_has_no_access_does_not_post(Config) ->
    [Alice, Boss] = twitter_cases:friends(Config, [<<"alice">>, <<"boss">>]),
    ok = reload(Config, #{access_post => bosses}),
    Answer = attempt(Alice, <<"a">>),
    ?assertEqual(<<"forbidden">>, twitter_answers:refusal(Answer)),
    ?assertNotEqual(<<>>, twitter_answers:error_text(Answer)),
    ?assertEqual([], twitter_events:posts(twitter_cases:server(Config), Boss)),
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)),
    ?assertEqual([], twitter_reading:ids(Boss, ?FRIENDS)),
    %% She reads as before.
    Id = twitter_requests:publish(Boss, <<"Quiet, please">>),
    ?assertEqual([Id], twitter_reading:ids(Alice, ?FRIENDS)).

access_is_lost_and_gained_at_once(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    [First, Second] = [twitter_requests:publish(Alice, <<"Hello">>) || _ <- [1, 2]],
    ok = reload(Config, #{access_post => none}),
    ?assertEqual(<<"forbidden">>, twitter_answers:refusal(attempt(Alice, First))),
    %% What she has posted is hers.
    ok = twitter_requests:retract(Alice, First),
    ?assertEqual([Second], twitter_reading:ids(Alice, ?MINE)),
    ok = twitter_requests:purge(Alice),
    ok = reload(Config, #{access_post => all}),
    Third = twitter_requests:publish(Alice, <<"I am back">>),
    ?assertEqual([Third], twitter_reading:ids(Alice, ?MINE)).

%%% post_rate: with one post a minute, nothing comes back while a test runs

so_many_posts_at_once(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    ok = reload(Config, #{post_rate => #{burst => 3, refill => 1}}),
    %% From whatever device; an edit is sent to everybody like a new post.
    Phone = twitter_users:login(Server, twitter_cases:user(Alice)),
    _ = [published = outcome(Client, Id) || {Client, Id} <- [{Alice, <<"a">>}, {Phone, <<"b">>}, {Alice, <<"a">>}]],
    [
        begin
            Answer = attempt(Client, Id),
            ?assertEqual(<<"resource-constraint">>, twitter_answers:refusal(Answer)),
            ?assertEqual(<<"wait">>, fxml:get_path_s(Answer, [{elem, <<"error">>}, {attr, <<"type">>}])),
            ?assertMatch({match, _}, re:run(twitter_answers:error_text(Answer), "[1-6][0-9] seconds"))
        end
     || {Client, Id} <- [{Alice, <<"c">>}, {Phone, <<"a">>}]
    ],
    ?assertEqual([<<"a">>, <<"b">>, <<"a">>], [Id || {item, _, Id, _} <- twitter_events:posts(Server, Bob)]),
    ?assertEqual([<<"a">>, <<"b">>], twitter_reading:ids(Bob, ?FRIENDS)),
    %% It is her limit, not Bob's, and none for deleting.
    published = outcome(Bob, <<"b">>),
    ok = twitter_requests:retract(Alice, <<"a">>),
    ok = twitter_requests:purge(Alice).

what_is_refused_costs_nothing(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    ok = reload(Config, #{post_rate => #{burst => 2, refill => 1}, max_post_size => 100}),
    published = outcome(Alice, <<"a">>),
    Large = binary:copy(<<"x">>, 101),
    _ = [<<"not-acceptable">> = twitter_answers:refusal(attempt(Alice, <<"b">>, Large)) || _ <- lists:seq(1, 5)],
    _ = [<<"bad-request">> = twitter_answers:refusal(attempt(Alice, <<"b">>, <<>>)) || _ <- lists:seq(1, 5)],
    published = outcome(Alice, <<"b">>),
    too_fast = outcome(Alice, <<"c">>).

%% The answer tells how long to wait, in full seconds.
room_comes_back(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    ok = reload(Config, #{post_rate => #{burst => 1, refill => 60}}),
    published = outcome(Alice, <<"a">>),
    Text = twitter_answers:error_text(attempt(Alice, <<"b">>)),
    {match, [Seconds]} = re:run(Text, "[0-9]+", [{capture, first, binary}]),
    _ = erlang:send_after(1000 * binary_to_integer(Seconds), self(), now_again),
    receive
        now_again -> published = outcome(Alice, <<"b">>)
    end.

a_new_limit_holds_at_once(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    ok = reload(Config, #{post_rate => #{burst => 1, refill => 1}}),
    published = outcome(Alice, <<"a">>),
    too_fast = outcome(Alice, <<"b">>),
    ok = reload(Config, #{post_rate => #{burst => 2, refill => 1}}),
    published = outcome(Alice, <<"b">>),
    too_fast = outcome(Alice, <<"c">>),
    ok = reload(Config, #{post_rate => unlimited}),
    _ = [published = outcome(Alice, <<"c">>) || _ <- lists:seq(1, 10)].

who_may_post_at_any_rate(Config) ->
    [Alice, Boss] = twitter_cases:strangers(Config, [<<"alice">>, <<"boss">>]),
    ok = reload(Config, #{post_rate => #{burst => 1, refill => 1}, access_any_rate => bosses}),
    _ = [published = outcome(Boss, <<"b">>) || _ <- lists:seq(1, 10)],
    published = outcome(Alice, <<"a">>),
    too_fast = outcome(Alice, <<"a">>).

there_is_a_limit_by_default(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    ok = reload(Config, #{post_rate => absent}),
    {Quick, [_ | _]} = lists:splitwith(
        fun(Outcome) -> Outcome =:= published end,
        [outcome(Alice, integer_to_binary(N)) || N <- lists:seq(1, 100)]
    ),
    ?assert(length(Quick) >= 60).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

reload(Config, Options) ->
    ok = twitter_server:reload(twitter_cases:server(Config), #{twitter => Options}).

attempt(Client, Id) ->
    attempt(Client, Id, <<"Hello">>).

attempt(Client, Id, Text) ->
    Item = twitter_requests:el(<<"item">>, [{<<"id">>, Id}], [{xmlcdata, Text}]),
    Publish = twitter_requests:el(<<"publish">>, [{<<"node">>, ?MINE}], [Item]),
    twitter_requests:pubsub(Client, set, [Publish]).

outcome(Client, Id) ->
    Answer = attempt(Client, Id),
    case fxml:get_tag_attr_s(<<"type">>, Answer) of
        <<"result">> ->
            published;
        <<"error">> ->
            <<"resource-constraint">> = twitter_answers:refusal(Answer),
            too_fast
    end.
