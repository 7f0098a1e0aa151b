%%% @doc Whether a user may post: by the access rule, and by the pace at which he does.
-module(twitter_permit).

-export([may_post/1, check_access/1, take/1]).

%% @doc Whether `access_post' lets him post.
-spec may_post(twitter_reader:reader()) -> boolean().
may_post(#{acts := by_admin}) ->
    true;
may_post(#{from := From, service := #{server_host := ServerHost}}) ->
    allow =:= acl:match_rule(ServerHost, mod_twitter_opt:access_post(ServerHost), From).

%% @doc Refuses whom `access_post' does not let post.
-spec check_access(twitter_reader:reader()) -> ok.
check_access(#{lang := Lang} = Reader) ->
    case may_post(Reader) of
        true -> ok;
        false -> twitter_error:refuse(no_access, Lang)
    end.

%% @doc Refuses a post that comes too soon after the others; one that does not counts for the next.
-spec take(twitter_reader:reader()) -> ok.
take(#{acts := by_admin}) ->
    ok;
take(#{from := From, name := Name, lang := Lang,
       service := #{server_host := ServerHost, rates := Rates}}) ->
    case limit(ServerHost, From) of
        unlimited ->
            ok;
        {Burst, Refill} ->
            case twitter_nif:take_post(Rates, Name, Burst, Refill, twitter_stats:clock()) of
                {ok, taken} -> ok;
                {error, {too_fast, Wait}} -> twitter_error:refuse({too_fast, Wait}, Lang)
            end
    end.

limit(ServerHost, From) ->
    case mod_twitter_opt:post_rate(ServerHost) of
        unlimited ->
            unlimited;
        #{burst := Burst, refill := Refill} ->
            case acl:match_rule(ServerHost, mod_twitter_opt:access_any_rate(ServerHost), From) of
                allow -> unlimited;
                deny -> {Burst, Refill}
            end
    end.
