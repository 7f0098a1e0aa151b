%%% @doc The commands of `ejabberdctl' and of the HTTP API; {@link twitter_admin} carries them out.
-module(twitter_commands).

-include_lib("ejabberd/include/ejabberd_commands.hrl").

-export([register/0, unregister/0]).

-define(DEFINER, mod_twitter).

%% @doc Makes the commands known; more than once does no harm.
-spec register() -> ok.
register() ->
    %% 26.07 calls it critical if they are known already, by another vhost.
    ok = unregister(),
    ejabberd_commands:register_commands(?DEFINER, commands()).

-spec unregister() -> ok.
unregister() ->
    ejabberd_commands:unregister_commands(commands()).

commands() ->
    [user_command(twitter_post, post, "Post a text in a user's microblog",
                  "As if the user had posted it, but whatever post_rate and access_post say.",
                  [{text, binary, "What to post", <<"Hello, world">>}],
                  {{id, string}, "The id of the post", "4B2C8277256F0A19"}),
     user_command(twitter_delete_post, delete_post, "Delete a post of a user",
                  "His friends' clients are told, as if he had deleted it.",
                  [{id, binary, "The id of the post", <<"4B2C8277256F0A19">>}],
                  {{res, restuple}, "Whether it is deleted", {ok, "The post is deleted"}}),
     user_command(twitter_timeline, timeline, "The newest posts of a user's friends",
                  "What the user finds in /twitter/FriendsStream, the newest first.",
                  [{count, integer, "How many posts at most", 20}],
                  {{posts, {list, {post, {tuple, [{number, integer}, {author, string}, {id, string}, {published, string},
                                                  {text, string}]}}}},
                   "Numbers from 1 for the newest, whose they are, their ids, when they were published, and what a "
                   "person reads in them",
                   [{1, "bob@example.org", "4B2C8277256F0A19", "2008-05-01T10:00:00Z", "Hello"}]}),
     user_command(twitter_export, export, "All that is stored of a user's microblog, as JSON",
                  "Every post with its id, times, text and XML; his settings and mutes; and what he has read, "
                  "at each pubsub host. Times are in UTC. It is made in memory.",
                  [],
                  {{json, string}, "A JSON object",
                   "{\"user\":\"alice@example.org\",\"settings\":null,\"read_marks\":[],\"posts\":[]}"}),
     user_command(twitter_purge_user, purge_user, "Delete all that is stored of a user's microblog",
                  "Posts, settings, mutes and read marks. The account stays. Works also for what is left of an "
                  "account that is gone.",
                  [],
                  {{res, restuple}, "Whether nothing is left", {ok, "Posts, settings and read marks are deleted"}}),
     command(twitter_move_posts, move_posts, "Move the posts of a host's microblogs to Mnesia, or to SQL",
             "While mod_pubsub uses the other database, they are copied there. When it uses this one, what is left "
             "in the other one is moved. Each post is compared before it is deleted. Can be done again.",
             [host(), {to, binary, "mnesia or sql", <<"sql">>}],
             {{res, restuple}, "Whether all are there", {ok, "120 posts of 7 authors are moved"}}),
     command(twitter_reload, reload, "Forget what is in memory of a host's microblogs, and read it anew",
             "Posts are read from the database again, rights from the rosters, and sessions from "
             "ejabberd's table. Nothing of it should ever be needed.",
             [host()],
             {{res, restuple}, "Result", {ok, "What was in memory is read anew"}}),
     command(twitter_stats, stats, "Numbers about the microblogs of a host",
             "What was pushed since the start, what waits and how much memory is taken now, and how long "
             "pushes and reads took in the last minutes, in microseconds. For Prometheus there is "
             "twitter_metrics, to be put into the request_handlers of an HTTP listener.",
             [host()],
             %% Not {name, value}: 24.12's mod_http_api cannot write that as JSON.
             {{stats, {list, {stat, {tuple, [{what, string}, {value, integer}]}}}},
              "Names and values", [{"pushed_total", 1024}, {"push_p99_us", 1800}]})].

user_command(Name, Function, Desc, LongDesc, Args, Result) ->
    User = {user, binary, "User name", <<"alice">>},
    command(Name, Function, Desc, LongDesc, [User, host() | Args], Result).

host() ->
    {host, binary, "Server name", <<"example.org">>}.

command(Name, Function, Desc, LongDesc, Args, {Result, ResultDesc, ResultExample}) ->
    #ejabberd_commands{name = Name, tags = [twitter], desc = Desc, longdesc = LongDesc,
                       definer = ?DEFINER, module = twitter_admin, function = Function,
                       args = [{Arg, Type} || {Arg, Type, _, _} <- Args],
                       args_desc = [ArgDesc || {_, _, ArgDesc, _} <- Args],
                       args_example = [Example || {_, _, _, Example} <- Args],
                       result = Result, result_desc = ResultDesc, result_example = ResultExample}.
